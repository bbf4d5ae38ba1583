# SPDX-License-Identifier: Apache-2.0
# llama.cpp, the library behind engines/llama: target `llama`, built from the sources that
# './x deps' fetched. Nothing is downloaded here.
#
#   DYNAMO_LLAMA             default ON when the sources are there
#   DYNAMO_LLAMA_SOURCE_DIR  an unpacked llama.cpp tree of the commit in third_party/manifest.json
#   DYNAMO_LLAMA_PORTABLE    for x86-64 machines older than Haswell (no AVX2); slow

set(llama_cache "${DYNAMO_CACHE_DIR}")
if(NOT llama_cache)
  set(llama_cache "$ENV{DYNAMO_CACHE_DIR}")
endif()
if(NOT llama_cache AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(llama_cache "$ENV{XDG_CACHE_HOME}/dynamo-cpp")
endif()
if(NOT llama_cache)
  set(llama_cache "$ENV{HOME}/.cache/dynamo-cpp")
endif()
set(DYNAMO_LLAMA_SOURCE_DIR "${llama_cache}/llama.cpp" CACHE PATH "Unpacked llama.cpp sources")
# Tests and the benchmark find their model here.
set(DYNAMO_MODELS_DIR "${llama_cache}/models")

if(EXISTS "${DYNAMO_LLAMA_SOURCE_DIR}/include/llama.h")
  set(llama_found ON)
else()
  set(llama_found OFF)
endif()
option(DYNAMO_LLAMA "Build the llama.cpp engine" ${llama_found})
option(DYNAMO_LLAMA_PORTABLE "Build llama.cpp for any x86-64, without AVX2 (slow)" OFF)

if(DYNAMO_LLAMA AND NOT llama_found)
  message(FATAL_ERROR
    "DYNAMO_LLAMA is ON but ${DYNAMO_LLAMA_SOURCE_DIR} holds no llama.cpp sources.\n"
    "Fix: ./x deps   (fetches them; or turn the engine off: -DDYNAMO_LLAMA=OFF)")
elseif(NOT DYNAMO_LLAMA AND NOT llama_found)
  message(STATUS "llama.cpp engine: off, its sources are not in ${DYNAMO_LLAMA_SOURCE_DIR} (./x deps fetches them)")
elseif(DYNAMO_LLAMA)
  add_subdirectory(third_party/llama EXCLUDE_FROM_ALL SYSTEM)
endif()
