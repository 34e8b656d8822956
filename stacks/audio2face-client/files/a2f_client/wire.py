"""The messages of the service, as much of them as this client uses, built as descriptors when the program starts.

Field names and numbers are facts of NVIDIA's public interface; those not listed are kept out of what is sent, and are
skipped by protobuf in what is received. The request stream, the headers and the service are in two or more of these
sources, which agree; the numbers of AnimationData, SkelAnimation, SkelAnimationHeader, FloatArrayWithTimeCode, Status,
AudioWithEmotion and of `event` are in the first alone, their names in NVIDIA's sample too. Sources:
  NorthernAI-coder/three.ws@5fe13968a9cdead9c43b0587dd396abb3abe1fc8:api/_lib/a2f-protos/descriptor.js (all messages)
  joshbreard/git-blox@764a7c2f3a91c5bca9973b9f07df20757eb25445:server/proto/nvidia_ace.controller.v1.proto, and
    …:server/proto/nvidia_ace.services.a2f_controller.v1.proto (the streams, their headers, the service)
  NVIDIA, "gRPC with Audio2Face-3D" and "Migrating from EA3", Audio2Face-3D documentation (AudioStream, AudioHeader)
  NVIDIA/Audio2Face-3D-Samples@a2d0150043be7dc15db2fad8193a78b660e1100f:
    scripts/audio2face_3d_microservices_interaction_app (names of fields, order of messages, codes of Status)
  grpc/grpc: src/proto/grpc/health/v1/health.proto (the standard health service)
Enums are declared as int32, which is the same on the wire. AudioHeader.audio_format (1) is not declared, as PCM is its
zero, which proto3 does not send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROCESS_AUDIO_STREAM = "/nvidia_ace.services.a2f_controller.v1.A2FControllerService/ProcessAudioStream"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
STATUS_WARNING, STATUS_ERROR = 2, 3  # of Status.code; 0 is success, 1 information
SERVING = 1  # of HealthCheckResponse.status


@dataclass(frozen=True)
class _Field:
    """kind: a scalar type of protobuf, or a message's full name. oneof: the name of the choice it is part of."""

    name: str
    number: int
    kind: str
    repeated: bool = False
    oneof: str = ""


_ACE = "nvidia_ace"
_MESSAGES: dict[str, tuple[_Field, ...]] = {
    f"{_ACE}.audio.v1.AudioHeader": (
        _Field("channel_count", 2, "uint32"),
        _Field("samples_per_second", 3, "uint32"),
        _Field("bits_per_sample", 4, "uint32"),
    ),
    f"{_ACE}.a2f.v1.AudioWithEmotion": (_Field("audio_buffer", 1, "bytes"),),
    f"{_ACE}.status.v1.Status": (_Field("code", 1, "int32"), _Field("message", 2, "string")),
    f"{_ACE}.animation_data.v1.SkelAnimationHeader": (_Field("blend_shapes", 1, "string", repeated=True),),
    f"{_ACE}.animation_data.v1.FloatArrayWithTimeCode": (
        _Field("time_code", 1, "double"),
        _Field("values", 2, "float", repeated=True),
    ),
    f"{_ACE}.animation_data.v1.SkelAnimation": (
        _Field("blend_shape_weights", 1, f"{_ACE}.animation_data.v1.FloatArrayWithTimeCode", repeated=True),
    ),
    f"{_ACE}.animation_data.v1.AnimationData": (
        _Field("skel_animation", 1, f"{_ACE}.animation_data.v1.SkelAnimation"),
    ),
    f"{_ACE}.controller.v1.AudioStreamHeader": (_Field("audio_header", 1, f"{_ACE}.audio.v1.AudioHeader"),),
    f"{_ACE}.controller.v1.EndOfAudio": (),  # AudioStream.EndOfAudio; an empty message has no name on the wire
    f"{_ACE}.controller.v1.AudioStream": (
        _Field("audio_stream_header", 1, f"{_ACE}.controller.v1.AudioStreamHeader", oneof="stream_part"),
        _Field("audio_with_emotion", 2, f"{_ACE}.a2f.v1.AudioWithEmotion", oneof="stream_part"),
        _Field("end_of_audio", 3, f"{_ACE}.controller.v1.EndOfAudio", oneof="stream_part"),
    ),
    f"{_ACE}.controller.v1.AnimationDataStreamHeader": (
        _Field("skel_animation_header", 2, f"{_ACE}.animation_data.v1.SkelAnimationHeader"),
    ),
    f"{_ACE}.controller.v1.Event": (_Field("event_type", 1, "int32"),),
    f"{_ACE}.controller.v1.AnimationDataStream": (
        _Field("animation_data_stream_header", 1, f"{_ACE}.controller.v1.AnimationDataStreamHeader", oneof="part"),
        _Field("animation_data", 2, f"{_ACE}.animation_data.v1.AnimationData", oneof="part"),
        _Field("event", 3, f"{_ACE}.controller.v1.Event", oneof="part"),
        _Field("status", 4, f"{_ACE}.status.v1.Status", oneof="part"),
    ),
    "grpc.health.v1.HealthCheckRequest": (_Field("service", 1, "string"),),
    "grpc.health.v1.HealthCheckResponse": (_Field("status", 1, "int32"),),
}


def _pool() -> descriptor_pool.DescriptorPool:
    """A pool of our own, so that NVIDIA's bindings may be imported in the same process."""
    proto = descriptor_pb2.FieldDescriptorProto
    pool = descriptor_pool.DescriptorPool()
    for full, fields in _MESSAGES.items():  # a file each, in the order of the table: what is used stands above
        package, _, name = full.rpartition(".")
        file = descriptor_pb2.FileDescriptorProto(name=f"{full}.proto", package=package, syntax="proto3")
        message = file.message_type.add(name=name)
        for one in fields:
            is_message = "." in one.kind
            label = proto.LABEL_REPEATED if one.repeated else proto.LABEL_OPTIONAL
            kind = proto.TYPE_MESSAGE if is_message else proto.Type.Value(f"TYPE_{one.kind.upper()}")
            field = message.field.add(name=one.name, number=one.number, label=label, type=kind)
            if is_message:
                field.type_name = f".{one.kind}"
                if (used := f"{one.kind}.proto") not in file.dependency:
                    file.dependency.append(used)
            if one.oneof:
                if not message.oneof_decl:
                    message.oneof_decl.add(name=one.oneof)
                field.oneof_index = 0
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _pool()


def _message(name: str) -> Any:  # noqa: ANN401 - a class that protobuf makes
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


AudioStream = _message(f"{_ACE}.controller.v1.AudioStream")
AnimationDataStream = _message(f"{_ACE}.controller.v1.AnimationDataStream")
HealthCheckRequest = _message("grpc.health.v1.HealthCheckRequest")
HealthCheckResponse = _message("grpc.health.v1.HealthCheckResponse")
