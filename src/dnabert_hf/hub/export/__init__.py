"""Models as files for other runtimes: ONNX, OpenVINO and exported programs of torch."""
