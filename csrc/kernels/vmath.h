// exp, expm1, log, log1p, erf, tanh, sin and cos as plain arithmetic, so that loops over them
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
  static constexpr float kGeluLow = -15.0F;  // gelu is zero below

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
  // erf(t) / t - 1 for |t| <= 1, z = t^2.
  static FASTNN_INLINE float erf_tail(float z) {
    return poly(z, 0.128379166F, -0.37612626F, 0.112836003F, -0.0268544443F, 0.00518953474F,
                -0.000802083407F, 7.88909529e-05F);
  }
  // exp(t^2) erfc(t) for t >= 1.
  static FASTNN_INLINE float scaled_erfc(float t) {
    const float u = 2.0F / (2.0F + t);
    return u * poly(u, 0.282098025F, 0.282047004F, 0.246904016F, 0.179040372F, 0.0603419282F,
                    0.0834475607F, -0.227063954F, 0.0937642083F);
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
  static constexpr double kGeluLow = -39.0;

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
    return poly(z, 0.12837916709551256, -0.3761263890318355, 0.11283791670945252,
                -0.026866170643276073, 0.005223977607422502, -0.0008548325989661416,
                0.00012055295319730584, -1.492474465356765e-05, 1.6447517609499445e-06,
                -1.6209175731923008e-07, 1.3722976770798816e-08, -7.801191888341914e-10);
  }
  static FASTNN_INLINE double scaled_erfc(double t) {
    const double u = 3.0 / (3.0 + t);
    return u * poly(u, 0.18806319451956924, 0.18806319424705678, 0.1776152483782324,
                    0.15671913980868601, 0.1271194758533678, 0.09226242573292143,
                    0.05719815594422404, 0.024895467064733574, 0.010336057353034698,
                    -0.03118459700953016, 0.06062142659653277, -0.17058653959292286,
                    0.30405753274011055, -0.42320711019442814, 0.4476087881288546,
                    -0.31663243470283237, 0.13049567283273122, -0.021180654798029646,
                    -0.003780441121458389, 0.0015160161975151611);
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

template <class T>
FASTNN_INLINE T vexp(T x) {
  using R = Real<T>;
  using Bits = typename R::Bits;
  x = x > R::kExpHigh ? R::kExpHigh : x;
  x = x < R::kExpLow ? R::kExpLow : x;
  T shifted;
  const T r = reduce_exp(x, shifted);
  const T p = T(1) + (r + r * r * R::exp_tail(r));
  // 2^n as a product of two powers, so that overflow and denormals come out right.
  const Bits biased = bit_cast<Bits>(shifted) - bit_cast<Bits>(R::kShift) + 2 * R::kBias;
  const Bits half = biased >> 1;
  return p * bit_cast<T>(half << R::kMantissa) * bit_cast<T>((biased - half) << R::kMantissa);
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

// log of (1 + f) 2^e, where e comes with its bias as a float's exponent field.
template <class T>
FASTNN_INLINE T join_log(T f, typename Real<T>::Bits biased, T offset) {
  using R = Real<T>;
  const T whole = bit_cast<T>(biased | bit_cast<typename R::Bits>(R::kTwoMantissa));
  const T e = whole - (R::kTwoMantissa + T(R::kBias)) - offset;
  return (R::log_tail(f) + e * R::kLn2Low) + f + e * R::kLn2High;
}

// x = m 2^e with sqrt(1/2) <= m < sqrt(2): returns m, and e with its bias.
template <class T>
FASTNN_INLINE T split(T x, typename Real<T>::Bits& biased) {
  using R = Real<T>;
  using Bits = typename R::Bits;
  const Bits one = R::kBias << R::kMantissa;
  const Bits moved = bit_cast<Bits>(x) + (one - R::kHalfRoot);
  biased = moved >> R::kMantissa;
  return bit_cast<T>((moved & ((Bits{1} << R::kMantissa) - 1)) + R::kHalfRoot);
}

template <class T>
FASTNN_INLINE T vlog(T x) {
  using R = Real<T>;
  const bool tiny = x < R::kTiny;
  const T scaled = tiny ? x * R::kTwoMantissa : x;
  typename R::Bits biased;
  const T m = split(scaled, biased);
  T y = join_log(m - T(1), biased, tiny ? T(R::kMantissa) : T(0));
  y = x > 0 ? y : (x == 0 ? -R::kInf : R::kNan);
  return x < R::kInf ? y : x;
}

template <class T>
FASTNN_INLINE T vlog1p(T x) {
  using R = Real<T>;
  const T u = T(1) + x;
  const T back = u - x;
  const T lost = (x - (u - back)) + (T(1) - back);  // 1 + x - u exactly (Knuth)
  typename R::Bits biased;
  const T m = split(u, biased);
  // lost / 2^e; beyond 2^(bias - 1) it no longer matters.
  const auto exponent = biased < 2 * R::kBias ? 2 * R::kBias - biased : 1;
  const T f = (m - T(1)) + lost * bit_cast<T>(exponent << R::kMantissa);
  T y = join_log(f, biased, T(0));
  y = x > T(-1) ? y : (x == T(-1) ? -R::kInf : R::kNan);
  return x < R::kInf ? y : x;
}

template <class T>
FASTNN_INLINE T verf(T x) {
  const T t = vabs(x);
  const T z = t * t;
  const T inner = t + t * Real<T>::erf_tail(z);
  const T outer = T(1) - vexp(-z) * Real<T>::scaled_erfc(t);
  return vcopysign(t < T(1) ? inner : outer, x);
}

// Share of the normal distribution below x, and its density at x.
template <class T>
struct Normal {
  T cdf, density;
};
template <class T>
FASTNN_INLINE Normal<T> vnormal(T x) {
  const T s = x * T(0.7071067811865476);
  const T t = vabs(s);
  const T z = t * t;
  const T e = vexp(T(-0.5) * x * x);
  const T inner = T(0.5) + T(0.5) * (s + s * Real<T>::erf_tail(z));
  const T tail = T(0.5) * e * Real<T>::scaled_erfc(t);
  const T outer = x < 0 ? tail : T(1) - tail;
  return {t < T(1) ? inner : outer, e * T(0.3989422804014327)};
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
