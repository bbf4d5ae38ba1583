# SPDX-License-Identifier: Apache-2.0
# The pinned compiler: clang 19 with libstdc++ 12. Every preset uses this file.
# g++ 12 miscompiles ordinary coroutine code and is refused (cmake/DynamoCompiler.cmake).
set(CMAKE_C_COMPILER clang-19)
set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_C_COMPILER_AR llvm-ar-19)
set(CMAKE_CXX_COMPILER_AR llvm-ar-19)
set(CMAKE_C_COMPILER_RANLIB llvm-ranlib-19)
set(CMAKE_CXX_COMPILER_RANLIB llvm-ranlib-19)
