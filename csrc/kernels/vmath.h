// exp, expm1, log, log1p, gelu, tanh, sin and cos as plain arithmetic, so that loops over them
// vectorise. Within 4 units in the last place; NaN stays NaN; infinities and denormals are right.
// Coefficients are minimax fits (Remez) made for this file.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/blocks.h"

namespace fastnn::FASTNN_ISA {

template <class To, class From>
FASTNN_INLINE To bit_cast(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  std::memcpy(&y, &x, sizeof(y));
  return y;
}

// c0 + c1 x + c2 x^2 ...
template <class T>
FASTNN_INLINE T poly(T, T c) {
  return c;
}
template <class T, class... Rest>
FASTNN_INLINE T poly(T x, T c, Rest... rest) {
  return c + x * poly(x, rest...);
}

// What differs between float and double: bits, limits, polynomials.
template <class T>
struct Real;

template <>
struct Real<float> {
  using Bits = uint32_t;
  static constexpr int kMantissa = 23;
  static constexpr Bits kBias = 127, kHalfRoot = 0x3F3504F3;  // bits of sqrt(1/2)
  static constexpr float kShift = 12582912.0F;                // 1.5 * 2^23: x + kShift rounds x
  static constexpr float kTwoMantissa = 8388608.0F, kTiny = 1.17549435e-38F;
  static constexpr float kInf = __builtin_inff(), kNan = __builtin_nanf("");
  static constexpr float kLn2High = 0.693115234F, kLn2Low = 3.19461833e-05F;
  static constexpr float kExpLow = -104.0F, kExpHigh = 89.0F, kExpm1Low = -87.0F;
  static constexpr float kSquareHigh = 14.5F;  // exp(-x^2 / 2) is zero beyond

  // (expm1(r) - r) / r^2 for |r| <= ln(2) / 2.
  static FASTNN_INLINE float exp_tail(float r) {
    return poly(r, 0.5F, 0.16666542F, 0.0416662805F, 0.00836663321F, 0.0013946509F);
  }
  // log(1 + f) - f for sqrt(1/2) <= 1 + f <= sqrt(2).
  static FASTNN_INLINE float log_tail(float f) {
    const float q = poly(f, 0.333333105F, -0.249999866F, 0.20002234F, -0.166692674F, 0.142184749F,
                         -0.123839214F, 0.11874219F, -0.117931552F, 0.0691628158F);
    return f * f * (f * q - 0.5F);
  }
  // erf(t) / t - 1 for |t| <= 1/2, z = t^2.
  static FASTNN_INLINE float erf_tail(float z) {
    return poly(z, 0.128379166F, -0.376126081F, 0.112828352F, -0.0267579481F, 0.00471945293F);
  }
  // -gelu(-x) / exp(-x^2 / 2) for x >= sqrt(1/2).
  static FASTNN_INLINE float gelu_tail(float x) {
    const float u = (x - 1.5F) / (x + 3.0F);
    return poly(u, 0.308671F, 0.31668183F, -0.4425109F, 0.29652268F, -0.062503144F, -0.03635271F,
                0.013291212F, 0.010532286F, -0.0054093543F);
  }
  // (sin(2 pi r) / r - 2 pi) / r^2 and (cos(2 pi r) - 1) / r^2 for |r| <= 1/8, z = r^2.
  static FASTNN_INLINE float sin_tail(float z) {
    return poly(z, -41.3416748F, 81.5939407F, -75.4536591F);
  }
  static FASTNN_INLINE float cos_tail(float z) {
    return poly(z, -19.7392082F, 64.9393234F, -85.4437408F, 59.2460175F);
  }
};

template <>
struct Real<double> {
  using Bits = uint64_t;
  static constexpr int kMantissa = 52;
  static constexpr Bits kBias = 1023, kHalfRoot = 0x3FE6A09E667F3BCD;
  static constexpr double kShift = 6755399441055744.0;
  static constexpr double kTwoMantissa = 4503599627370496.0, kTiny = 2.2250738585072014e-308;
  static constexpr double kInf = __builtin_inf(), kNan = __builtin_nan("");
  static constexpr double kLn2High = 0.6931471805592082, kLn2Low = 7.371002565167799e-13;
  static constexpr double kExpLow = -746.0, kExpHigh = 710.0, kExpm1Low = -708.0;
  static constexpr double kSquareHigh = 38.7;

  static FASTNN_INLINE double exp_tail(double r) {
    return poly(r, 0.5, 0.16666666666666677, 0.0416666666666667, 0.008333333333321563,
                0.0013888888888866668, 0.00019841269886327365, 2.4801587360899042e-05,
                2.7557243979798524e-06, 2.7557242463488796e-07, 2.510912530700088e-08,
                2.0924535765596412e-09);
  }
  // With s = f / (2 + f): log(1 + f) = log((1 + s) / (1 - s)), odd in s.
  static FASTNN_INLINE double log_tail(double f) {
    const double s = f / (2.0 + f);
    const double half = 0.5 * f * f;
    const double z = s * s;
    const double q =
        poly(z, 0.6666666666666734, 0.39999999999415575, 0.28571428742417665, 0.2222219855243068,
             0.18183566149816868, 0.1531398765283611, 0.14796722088247835);
    return s * (half + z * q) - half;
  }
  static FASTNN_INLINE double erf_tail(double z) {
    return poly(z, 0.12837916709551256, -0.37612638903183476, 0.11283791670925356,
                -0.026866170632882276, 0.005223977372828914, -0.000854829772841322,
                0.00012053333513484928, -1.4845799367641735e-05, 1.4725264315146004e-06);
  }
  static FASTNN_INLINE double gelu_tail(double x) {
    const double u = (x - 1.5) / (x + 3.5);
    return poly(u, 0.308671000466092, 0.3518687353719191, -0.5854055053668968, 0.5324938441959953,
                -0.25160140694698546, 0.014223203103517932, 0.041477150059960895,
                -0.0062579430500518856, -0.009143119300075686, 0.0004803618550412911,
                0.002356911462413602, 0.0004532435630794741, -0.0005035559605692854,
                -0.0003185264483986769, 2.477235475790381e-05, 0.00019159861342543533,
                -0.0002100610060876484, 0.0003743722575854157, -0.00037084986290280246,
                0.00016647280833476398, -2.841777865228581e-05);
  }
  static FASTNN_INLINE double sin_tail(double z) {
    return poly(z, -41.34170224039968, 81.60524927596855, -76.70585970886555, 42.05868551611622,
                -15.093829827604191, 3.7813767123894255);
  }
  static FASTNN_INLINE double cos_tail(double z) {
    return poly(z, -19.739208802178716, 64.93939402266801, -85.45681720654012, 60.24464133162255,
                -26.426251141372422, 7.903101679074605, -1.6970207899192638);
  }
};

FASTNN_INLINE float vsqrt(float x) { return __builtin_sqrtf(x); }
FASTNN_INLINE double vsqrt(double x) { return __builtin_sqrt(x); }
FASTNN_INLINE float vabs(float x) { return __builtin_fabsf(x); }
FASTNN_INLINE double vabs(double x) { return __builtin_fabs(x); }
FASTNN_INLINE float vcopysign(float x, float sign) { return __builtin_copysignf(x, sign); }
FASTNN_INLINE double vcopysign(double x, double sign) { return __builtin_copysign(x, sign); }

// x = n ln 2 + r with |r| <= ln(2) / 2; shifted carries the integer n in its low bits.
template <class T>
FASTNN_INLINE T reduce_exp(T x, T& shifted) {
  shifted = x * T(1.4426950408889634) + Real<T>::kShift;
  const T n = shifted - Real<T>::kShift;
  return (x - n * Real<T>::kLn2High) - n * Real<T>::kLn2Low;
}

// factor exp(r) 2^n, n from shifted: by two powers, so that overflow and denormals are right.
template <class T>
FASTNN_INLINE T join_exp(T r, T shifted, T factor = 1) {
  using R = Real<T>;
  using Bits = typename R::Bits;
  const T p = factor + factor * (r + r * r * R::exp_tail(r));
  const Bits biased = bit_cast<Bits>(shifted) - bit_cast<Bits>(R::kShift) + 2 * R::kBias;
  const Bits half = biased >> 1;
  return p * bit_cast<T>(half << R::kMantissa) * bit_cast<T>((biased - half) << R::kMantissa);
}

template <class T>
FASTNN_INLINE T vexp(T x) {
  x = x > Real<T>::kExpHigh ? Real<T>::kExpHigh : x;
  x = x < Real<T>::kExpLow ? Real<T>::kExpLow : x;
  T shifted;
  const T r = reduce_exp(x, shifted);
  return join_exp(r, shifted);
}

// factor exp(-x^2 / 2) for 0 <= x <= kSquareHigh, with what x^2 loses by rounding: far out it is
// many units in the last place.
template <class T>
FASTNN_INLINE T vexp_square(T x, T factor) {
  using R = Real<T>;
  const auto upper = ~typename R::Bits{0} << (R::kMantissa / 2 + 1);
  const T high = bit_cast<T>(bit_cast<typename R::Bits>(x) & upper);
  const T low = x - high;
  const T square = x * x;
  const T lost = ((high * high - square) + T(2) * high * low) + low * low;
  T shifted;
  const T r = reduce_exp(T(-0.5) * square, shifted) - T(0.5) * lost;
  return join_exp(r, shifted, factor);
}

// exp(x) - 1 for x <= 0.
template <class T>
FASTNN_INLINE T vexpm1(T x) {
  using R = Real<T>;
  using Bits = typename R::Bits;
  x = x < R::kExpm1Low ? R::kExpm1Low : x;
  T shifted;
  const T r = reduce_exp(x, shifted);
  const T p = r + r * r * R::exp_tail(r);
  const Bits biased = bit_cast<Bits>(shifted) - bit_cast<Bits>(R::kShift) + R::kBias;
  const T power = bit_cast<T>(biased << R::kMantissa);
  return power * p + (power - T(1));
}

template <class T>
FASTNN_INLINE T vlog(T x) {
  using R = Real<T>;
  using Bits = typename R::Bits;
  const bool tiny = x < R::kTiny;
  const T scaled = tiny ? x * R::kTwoMantissa : x;
  // scaled = (1 + f) 2^e with sqrt(1/2) <= 1 + f < sqrt(2); e comes with its bias.
  const Bits moved = bit_cast<Bits>(scaled) + ((R::kBias << R::kMantissa) - R::kHalfRoot);
  const Bits fraction = moved & ((Bits{1} << R::kMantissa) - 1);
  const T f = bit_cast<T>(fraction + R::kHalfRoot) - T(1);
  const T biased = bit_cast<T>((moved >> R::kMantissa) | bit_cast<Bits>(R::kTwoMantissa));
  const T e = biased - (R::kTwoMantissa + T(R::kBias)) - (tiny ? T(R::kMantissa) : T(0));
  T y = (R::log_tail(f) + e * R::kLn2Low) + f + e * R::kLn2High;
  y = x > 0 ? y : (x == 0 ? -R::kInf : R::kNan);
  return x < R::kInf ? y : x;
}

// log(1 + x) for 0 <= x <= 1: as log(1 + f) or ln 2 + log(1 + f), whichever has the smaller f.
template <class T>
FASTNN_INLINE T vlog1p(T x) {
  using R = Real<T>;
  const bool upper = x > T(0.41421356237309505);
  const T f = upper ? T(0.5) * (x - T(1)) : x;
  const T y = R::log_tail(f) + (upper ? R::kLn2Low : T(0));
  return y + f + (upper ? R::kLn2High : T(0));
}

// gelu(x) = x cdf(x), with cdf(x) the share of the normal distribution below x, and its slope.
template <class T>
struct GeluAt {
  T value, slope;
};
template <class T>
FASTNN_INLINE GeluAt<T> vgelu(T x) {
  using R = Real<T>;
  const T bound = R::kSquareHigh, size = vabs(x);
  const T a = size > bound ? bound : size;
  const T s = x * T(0.7071067811865476);
  const T z = s * s;
  const T inner = T(0.5) + T(0.5) * (s + s * R::erf_tail(z));
  const T beyond = vexp_square(a, R::gelu_tail(a));  // -gelu(-a)
  const T outer = x < 0 ? beyond / a : T(1) - beyond / a;
  const bool near = z < T(0.25);
  const T cdf = near ? inner : outer;
  const T bounded = vcopysign(a, x);
  return {near ? x * inner : (x < 0 ? T(0) : x) - beyond,
          cdf + bounded * vexp_square(a, T(0.3989422804014327))};
}

template <class T>
FASTNN_INLINE T vtanh(T x) {
  const T e = vexpm1(T(-2) * vabs(x));
  return vcopysign(e / (T(2) + e), x);
}

// sine and cosine of 2 pi u for 0 <= u < 1.
template <class T>
FASTNN_INLINE void vsincos_turns(T u, T& sine, T& cosine) {
  using R = Real<T>;
  using Bits = typename R::Bits;
  const T shifted = T(4) * u + R::kShift;
  const T r = u - T(0.25) * (shifted - R::kShift);  // |r| <= 1/8, exact
  const T z = r * r;
  const T s = r * T(6.283185307179586) + r * z * R::sin_tail(z);
  const T c = T(1) + z * R::cos_tail(z);
  const Bits quarter = bit_cast<Bits>(shifted);
  const bool odd = (quarter & 1) != 0;
  constexpr int kSign = 8 * static_cast<int>(sizeof(T)) - 2;  // from bit 1 to the sign
  const Bits sign = (quarter & 2) << kSign;
  const Bits flip = ((quarter + 1) & 2) << kSign;
  sine = bit_cast<T>(bit_cast<Bits>(odd ? c : s) ^ sign);
  cosine = bit_cast<T>(bit_cast<Bits>(odd ? s : c) ^ flip);
}

}  // namespace fastnn::FASTNN_ISA
