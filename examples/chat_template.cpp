// SPDX-License-Identifier: Apache-2.0
#include <dynamo/base/json.h>
#include <dynamo/jinja/template.h>

#include "expect.h"

using namespace dynamo;

int main() {
  const auto chat = jinja::Template::compile(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n"
      "{% endfor %}");
  const auto messages = base::parse_json(R"([{"role": "user", "content": " Hello "}])");
  EXPECT(chat && messages);

  std::string prompt;
  EXPECT(chat->render(jinja::Context().set("messages", *messages), prompt));
  EXPECT(prompt == "<|im_start|>user\nHello<|im_end|>\n");

  const auto refusing = jinja::Template::compile("{{ raise_exception('roles must alternate') }}");
  const auto refused = refusing->render(jinja::Context(), prompt);
  EXPECT(refused.error().message() == "roles must alternate");
  EXPECT(refused.error().reason() == jinja::reason::kRaise);
}
