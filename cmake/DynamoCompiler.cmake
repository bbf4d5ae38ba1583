# SPDX-License-Identifier: Apache-2.0
# Language, warnings, sanitizers, linker, compiler cache. Everything that is true for all targets.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines (temporaries are destroyed twice).\n"
    "Fix: use clang 19, which './x deps' installs:  cmake --preset dev   (or ./x build)")
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR
    "clang ${CMAKE_CXX_COMPILER_VERSION} is too old: Dynamo is built with clang 19.\n"
    "Fix: ./x deps installs it, then  cmake --preset dev   (or ./x build)")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

find_program(DYNAMO_CCACHE ccache)
if(DYNAMO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${DYNAMO_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${DYNAMO_CCACHE}")
endif()

# Clang 19 warns about the C++26 deprecations of headers that are not ours; nothing else is silenced.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fno-strict-aliasing>")

if(DYNAMO_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(DYNAMO_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(NOT DYNAMO_SANITIZE STREQUAL "")
  message(FATAL_ERROR "DYNAMO_SANITIZE is '${DYNAMO_SANITIZE}'; expected address, thread or nothing")
endif()
if(DYNAMO_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

include(CheckIPOSupported)
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  # Thin LTO needs a linker and an archiver that read LLVM 19 bitcode.
  add_link_options(-fuse-ld=lld-19)
  check_ipo_supported(RESULT ipo_ok OUTPUT ipo_why LANGUAGES CXX)
  if(NOT ipo_ok)
    message(FATAL_ERROR "thin LTO does not work: ${ipo_why}\nFix: ./x deps installs lld-19 and llvm-19")
  endif()
else()
  find_program(DYNAMO_MOLD mold)
  if(DYNAMO_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

# Warnings of our own targets only; third-party trees keep their own.
add_library(dynamo_warnings INTERFACE)
target_compile_options(dynamo_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror=unused-result
  -Wno-missing-designated-field-initializers  # {.a = 1} means: the rest as declared
  $<$<BOOL:${DYNAMO_WERROR}>:-Werror>)
