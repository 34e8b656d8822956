"""faster-whisper over HTTP, in the form of OpenAI's audio interface. Run it as `python -m whisper_service`."""
