find_path(TENSORRT_INCLUDE_DIR NvInfer.h PATHS ${TENSORRT_ROOT_DIR} /usr PATH_SUFFIXES include)
foreach(name nvinfer nvinfer_plugin nvonnxparser)
  find_library(TENSORRT_${name} ${name} PATHS ${TENSORRT_ROOT_DIR} /usr PATH_SUFFIXES lib lib64)
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(TensorRT REQUIRED_VARS
  TENSORRT_INCLUDE_DIR TENSORRT_nvinfer TENSORRT_nvinfer_plugin TENSORRT_nvonnxparser)
add_library(TensorRT::TensorRT UNKNOWN IMPORTED)
set_target_properties(TensorRT::TensorRT PROPERTIES
  IMPORTED_LOCATION ${TENSORRT_nvinfer} INTERFACE_INCLUDE_DIRECTORIES ${TENSORRT_INCLUDE_DIR}
  INTERFACE_LINK_LIBRARIES "${TENSORRT_nvinfer_plugin};${TENSORRT_nvonnxparser}")
