// SPDX-License-Identifier: Apache-2.0
#include <dynamo/runtime/context.h>

#include "expect.h"

using namespace dynamo;

int main() {
  const auto request = runtime::Context::create("request-1");
  const auto choice = request->child("request-1/0");

  bool freed = false;
  auto cancelled = choice->on_stop([&] { freed = true; });  // another thread may call it
  request->stop();                                          // the client hung up
  EXPECT(freed && choice->is_stopped());
  cancelled.reset();  // after this the callback neither runs nor will run
}
