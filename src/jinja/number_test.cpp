// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "jinja/arithmetic.h"
#include "jinja/bigint.h"
#include "jinja/compare.h"
#include "jinja/failure.h"
#include "jinja/float_text.h"

namespace dynamo::jinja::detail {
namespace number_test {
namespace {

std::string float_repr(double value) {
  std::string out;
  append_float_repr(out, value);
  return out;
}

TEST(FloatText, PrintsAsPythonDoes) {
  EXPECT_EQ(float_repr(1), "1.0");
  EXPECT_EQ(float_repr(-0.0), "-0.0");
  EXPECT_EQ(float_repr(0.1), "0.1");
  EXPECT_EQ(float_repr(1e15), "1000000000000000.0");
  EXPECT_EQ(float_repr(1e16), "1e+16");
  EXPECT_EQ(float_repr(0.0001), "0.0001");
  EXPECT_EQ(float_repr(0.00001), "1e-05");
  EXPECT_EQ(float_repr(1.5e300), "1.5e+300");
  EXPECT_EQ(float_repr(5e-324), "5e-324");
  EXPECT_EQ(float_repr(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(float_repr(std::nan("")), "nan");
}

TEST(FloatText, RoundTripsRandomDoubles) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtod(float_repr(value).c_str(), nullptr), value) << float_repr(value);
  }
}

TEST(FloatText, RoundsHalfToEvenAtAnyPlace) {
  EXPECT_EQ(round_to(2.5, 0), 2.0);
  EXPECT_EQ(round_to(3.5, 0), 4.0);
  EXPECT_EQ(round_to(2.675, 2), 2.67);  // the double is a little less
  EXPECT_EQ(round_to(1250, -2), 1200.0);
  EXPECT_EQ(round_to(1350, -2), 1400.0);
  EXPECT_EQ(round_to(-51, -2), -100.0);
  EXPECT_EQ(round_to(999999, -1), 1000000.0);
  EXPECT_EQ(round_to(5, -5), 0.0);
}

class BigIntTest : public testing::Test {
 protected:
  Value number(const std::string& text) {
    const bool negative = text.front() == '-';
    return int_from_digits(arena_, std::string_view(text).substr(negative ? 1 : 0), 10, negative);
  }
  std::string sum(const std::string& a, const std::string& b) {
    return int_to_text(int_add(arena_, number(a), number(b)));
  }
  Arena arena_{1 << 24};
};

TEST_F(BigIntTest, GrowsAndShrinksAcrossSixtyFourBits) {
  EXPECT_EQ(sum("9223372036854775807", "1"), "9223372036854775808");
  EXPECT_EQ(sum("-9223372036854775808", "-1"), "-9223372036854775809");
  const Value back = int_sub(arena_, number("9223372036854775808"), number("1"));
  EXPECT_EQ(back.tag, Tag::integer);
  EXPECT_EQ(back.integer, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(int_neg(arena_, number("9223372036854775808")).tag, Tag::integer);
}

TEST_F(BigIntTest, DivisionAndRemainderObeyTheirLaw) {
  std::mt19937_64 random(11);
  const auto any = [&] {
    Value v = make_int(static_cast<std::int64_t>(random()) >> (random() % 64));
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      v = int_add(arena_, int_mul(arena_, v, make_int(static_cast<std::int64_t>(random()))),
                  make_int(static_cast<std::int64_t>(random() % 7)));
    }
    return v;
  };
  for (int i = 0; i < 3000; ++i) {
    const Value a = any();
    const Value b = any();
    if (int_is_zero(b)) continue;
    const Value q = int_floordiv(arena_, a, b);
    const Value r = int_mod(arena_, a, b);
    ASSERT_TRUE(equals(int_add(arena_, int_mul(arena_, q, b), r), a))
        << int_to_text(a) << " / " << int_to_text(b);
    ASSERT_TRUE(int_is_zero(r) || int_is_negative(r) == int_is_negative(b));
    ASSERT_TRUE(int_compare(int_is_negative(r) ? int_neg(arena_, r) : r,
                            int_is_negative(b) ? int_neg(arena_, b) : b) < 0);
    ASSERT_TRUE(equals(number(int_to_text(a)), a));
  }
}

TEST_F(BigIntTest, ComparesExactlyWithDoubles) {
  EXPECT_TRUE(int_compare(number("9007199254740993"), 9007199254740992.0) > 0);
  EXPECT_TRUE(int_compare(number("9223372036854775807"), 9223372036854775808.0) < 0);
  EXPECT_TRUE(int_compare(number("100000000000000000000"), 1e20) == 0);
  EXPECT_TRUE(int_compare(number("100000000000000000001"), 1e20) > 0);
  EXPECT_TRUE(int_compare(make_int(1), std::nan("")) == std::partial_ordering::unordered);
  EXPECT_TRUE(int_compare(number("-100000000000000000001"), 0.5) < 0);
}

TEST_F(BigIntTest, ConvertsToTheNearestDouble) {
  EXPECT_EQ(int_to_double(number("9007199254740993000000000000")), 9007199254740993000000000000.0);
  EXPECT_EQ(int_to_double(number("-18446744073709551615")), -18446744073709551615.0);
  EXPECT_EQ(int_true_divide(arena_, number("1" + std::string(400, '0')),
                            number("1" + std::string(399, '0'))),
            10.0);
  EXPECT_THROW(to_double(number("1" + std::string(400, '0'))), Failure);
}

TEST_F(BigIntTest, RefusesWhatWouldTakeForEver) {
  EXPECT_THROW(int_pow(arena_, make_int(10), make_int(10'000'000)), Failure);
  EXPECT_THROW(int_to_text(int_pow(arena_, make_int(10), make_int(5000))), Failure);
  EXPECT_EQ(int_to_text(int_pow(arena_, make_int(-1), number("100000000000000000001"))), "-1");
}

TEST(ParseNumbers, FollowPythonsGrammar) {
  Arena arena(1 << 16);
  const auto parsed = [&arena](std::string_view text, int base) {
    const Value v = parse_int(arena, text, base);
    return v.is_missing() ? std::string("no") : int_to_text(v);
  };
  EXPECT_EQ(parsed(" -12 ", 10), "-12");
  EXPECT_EQ(parsed("1_000", 10), "1000");
  EXPECT_EQ(parsed("1__0", 10), "no");
  EXPECT_EQ(parsed("_1", 10), "no");
  EXPECT_EQ(parsed("0x1F", 16), "31");
  EXPECT_EQ(parsed("0b11", 0), "3");
  EXPECT_EQ(parsed("012", 0), "no");
  EXPECT_EQ(parsed("00", 0), "0");
  EXPECT_EQ(parsed("٣٤", 10), "34");
  EXPECT_EQ(parsed("", 10), "no");
  EXPECT_EQ(parse_float("1e3"), 1000.0);
  EXPECT_EQ(parse_float(" .5 "), 0.5);
  EXPECT_EQ(parse_float("1."), 1.0);
  EXPECT_EQ(parse_float("-Infinity"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_float("1e400"), std::numeric_limits<double>::infinity());
  EXPECT_FALSE(parse_float("0x1p3"));
  EXPECT_FALSE(parse_float("1e"));
  EXPECT_FALSE(parse_float("infinit"));
}

}  // namespace
}  // namespace number_test
}  // namespace dynamo::jinja::detail
