# SPDX-License-Identifier: Apache-2.0
# Looks for accelerators that this build does not use and says how to use them. Never fails.
find_program(DYNAMO_NVCC nvcc HINTS ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
if(DYNAMO_NVCC AND NOT DYNAMO_CUDA)
  message(STATUS "CUDA toolkit found (${DYNAMO_NVCC}) but this build is CPU only. Hint: -DDYNAMO_CUDA=ON (./x build --features cuda)")
endif()
if(APPLE AND NOT DYNAMO_METAL)
  message(STATUS "Metal is available but this build is CPU only. Hint: -DDYNAMO_METAL=ON (./x build --features metal)")
endif()
