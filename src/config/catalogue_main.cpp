// SPDX-License-Identifier: Apache-2.0
// Prints docs/configuration.md.
#include <dynamo/config/catalogue.h>

#include <cstdio>

int main() {
  const std::string page = dynamo::config::catalogue_markdown();
  return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0 : 1;
}
