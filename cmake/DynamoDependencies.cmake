# SPDX-License-Identifier: Apache-2.0
# Every third-party package that a target of ours links, found once. Nothing is downloaded here:
# './x deps' installs what third_party/manifest.json lists.

macro(dynamo_require package)
  find_package(${package} ${ARGN} QUIET)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "${package} was not found. Fix: ./x deps   (packages: third_party/manifest.json)")
  endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
dynamo_require(Boost 1.81 COMPONENTS system)
dynamo_require(OpenSSL)
dynamo_require(fmt)
dynamo_require(CLI11)
dynamo_require(tomlplusplus)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(libedit REQUIRED IMPORTED_TARGET libedit)
if(DYNAMO_TESTS OR DYNAMO_BENCH OR DYNAMO_FUZZ)
  dynamo_require(simdjson)  # a second opinion on JSON texts (src/base/json_oracle.h)
endif()
if(DYNAMO_TESTS)
  dynamo_require(GTest)
  include(GoogleTest)
endif()
if(DYNAMO_BENCH)
  dynamo_require(benchmark)
endif()

# Asio is compiled once, in this target (src/base/asio.cpp); every user links it.
add_library(dynamo_asio STATIC "${CMAKE_SOURCE_DIR}/src/base/asio.cpp")
add_library(dynamo::asio ALIAS dynamo_asio)
target_compile_definitions(dynamo_asio PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(dynamo_asio PUBLIC Boost::headers Boost::system OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
