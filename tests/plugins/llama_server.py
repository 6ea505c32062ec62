"""llama.cpp's own HTTP server on the embedded model, run by the provider tests in a process of its own.

It speaks OpenAI's and Anthropic's protocols, so that the real SDKs have a real model to talk to.
"""

from __future__ import annotations

import sys
import threading

import xllamacpp

KEY = "sk-test-0123456789abcdef"

if __name__ == "__main__":
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.n_ctx = 4096
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [KEY]
    params.verbosity = -1
    params.ui = False
    params.cache_ram_mib = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Thread(target=sys.stdin.read).start()  # the parent's end closes when it goes away, however it goes
