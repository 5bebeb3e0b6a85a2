"""Derives the coefficients and reference tables of `wengert_ops::math`. Needs mpmath and numpy.

    python generate.py coefficients   # prints the polynomial coefficients and split constants of the sources
    python generate.py tables         # writes the reference tables next to this script, one file per function

Coefficients are minimax in the relative error of the function they serve (Remez exchange at 170 bits), rounded to the
target format and then adjusted by a few units in the last place where that lowers the maximum of the error.

A table has one line per point, `x y r`: the bits of `x` in hexadecimal without trailing zeros, the bits of the
correctly rounded `y`, and the exact value less `y` in 1/128ths of a unit in the last place, as a signed byte.
"""

import os
import random
import struct
import sys

import mpmath as m
import numpy as np
from mpmath import mp, mpf

mp.prec = 170


# ---- coefficients ---------------------------------------------------------------------------------------------------


def round_to(value, bits):
    """`value` rounded to a significand of `bits` bits."""
    mantissa, exponent = m.frexp(value)
    return m.ldexp(m.nint(m.ldexp(mantissa, bits)), exponent - bits)


def remez(xs, fs, ws, powers):
    """The coefficients of x^k, k in `powers`, that minimise max |w (f - p)| over the points `xs`."""
    count, points = len(powers), len(xs)
    reference = [round(i * (points - 1) / count) for i in range(count + 1)]
    best = None
    for _ in range(40):
        a, b = m.matrix(count + 1, count + 1), m.matrix(count + 1, 1)
        for i, j in enumerate(reference):
            for k, power in enumerate(powers):
                a[i, k] = xs[j] ** power
            a[i, count] = (-1) ** i / ws[j]
            b[i] = fs[j]
        solution = m.lu_solve(a, b)
        c = [solution[k] for k in range(count)]
        errors = [w * (f - sum(ck * x**p for ck, p in zip(c, powers))) for x, f, w in zip(xs, fs, ws)]
        worst = max(abs(e) for e in errors)
        if best is None or worst < best[1]:
            best = (c, worst)
        extrema = []
        for j, e in enumerate(errors):
            if extrema and (e > 0) == (errors[extrema[-1]] > 0):
                if abs(e) > abs(errors[extrema[-1]]):
                    extrema[-1] = j
            else:
                extrema.append(j)
        while len(extrema) > count + 1:
            if len(extrema) == count + 2:
                extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
            else:
                size = [abs(errors[j]) for j in extrema]
                pair = min(range(len(extrema) - 1), key=lambda i: max(size[i], size[i + 1]))
                del extrema[pair : pair + 2]
        if len(extrema) < count + 1 or worst <= abs(solution[count]) * mpf("1.01"):
            break
        reference = extrema
    return best


def fit(name, f, w, low, high, terms, bits, fixed=()):
    """Prints `terms` coefficients for `f` on `[low, high]` under the weight `w`; the first ones may be `fixed`."""
    low, high = mpf(low), mpf(high)
    points = 30 * (terms + 2)
    xs = [(low + high) / 2 - (high - low) / 2 * m.cos(m.pi * (i + mpf(1) / 2) / points) for i in range(points)]
    fs = [f(x) for x in xs]
    ws = [w(x) for x in xs]
    rest = [y - sum(c * x**k for k, c in enumerate(fixed)) for x, y in zip(xs, fs)]
    c, exact = remez(xs, rest, ws, list(range(len(fixed), terms)))
    c = [mpf(v) for v in fixed] + [round_to(v, bits) for v in c]
    # Coordinate descent over the last places of the first coefficients, from a few random starts.
    base = np.array([float(w * (y - m.polyval(c[::-1], x))) for x, y, w in zip(xs, fs, ws)])
    unit = [m.ldexp(mpf(1), m.frexp(v)[1] - bits) for v in c]
    step = [np.array([float(w * u * x**k) for x, w in zip(xs, ws)]) for k, u in enumerate(unit)]
    free = range(len(fixed), min(terms, 10))
    random_state = np.random.default_rng(1)
    best = (np.abs(base).max(), [0] * terms)
    # Where the polynomial itself is short, its last places do not matter.
    for trial in range(200 if exact < mpf(2) ** (4 - bits) else 0):
        moves = [0] * terms
        if trial:
            for k in free:
                moves[k] = int(random_state.integers(-2, 3))
        error = base - sum(step[k] * moves[k] for k in range(terms))
        current, improved = np.abs(error).max(), True
        while improved:
            improved = False
            for k in free:
                for sign in (-1, 1):
                    value = np.abs(error - sign * step[k]).max()
                    if value < current:
                        error, current, improved = error - sign * step[k], value, True
                        moves[k] += sign
        if current < best[0]:
            best = (current, moves)
    c = [v + u * k for v, u, k in zip(c, unit, best[1])]
    print(f"{name}: 2^{float(m.log(exact, 2)):.1f}, rounded 2^{np.log2(best[0]):.1f}")
    for v in c:
        print("   ", m.nstr(v, 10 if bits == 24 else 18))
    sys.stdout.flush()


def split(name, value, widths):
    """Prints `value` as a sum of parts of the given widths."""
    parts = []
    for bits in widths:
        parts.append(round_to(value, bits))
        value -= parts[-1]
    print(name, *(m.nstr(p, 21) for p in parts))


def coefficients():
    split("ln 2 (f32)", m.log(2), (15, 24))
    split("ln 2 (f64)", m.log(2), (41, 53))
    split("pi/2 (f32)", m.pi / 2, (24, 24, 24))
    split("pi/2 (f64)", m.pi / 2, (53, 53, 53))

    # e^r = 1 + r + r² p(r).
    half_ln2 = m.log(2) / 2 * mpf("1.01")
    exp = lambda r: (m.expm1(r) - r) / r**2
    fit("exp_reduced (f32)", exp, lambda r: r**2 / m.exp(r), -half_ln2, half_ln2, 5, 24)
    fit("exp_reduced (f64)", exp, lambda r: r**2 / m.exp(r), -half_ln2, half_ln2, 10, 53)
    fit("expm1_reduced (f32)", exp, lambda r: r**2 / abs(m.expm1(r)), -half_ln2, half_ln2, 6, 24, (mpf("0.5"),))
    fit("expm1_reduced (f64)", exp, lambda r: r**2 / abs(m.expm1(r)), -half_ln2, half_ln2, 11, 53, (mpf("0.5"),))

    # f32: ln(1 + f) = f - f²/2 + f³ p(f). f64: 2 atanh(s) = 2 s + s³ p(s²).
    low, high = m.sqrt(mpf(1) / 2) - 1, m.sqrt(2) - 1
    log = lambda x: (m.log1p(x) - x + x * x / 2) / x**3
    fit("ln_reduced (f32)", log, lambda x: x**3 / m.log1p(x), low * mpf("1.005"), high * mpf("1.005"), 9, 24)
    root = lambda g: lambda z: g(m.sqrt(z))
    atanh = root(lambda s: (2 * m.atanh(s) - 2 * s) / s**3)
    atanh_weight = root(lambda s: s**3 / (2 * m.atanh(s)))
    fit("ln_reduced (f64)", atanh, atanh_weight, 0, (high / (2 + high)) ** 2 * mpf("1.01"), 7, 53)

    # sin r = r + r³ p(r²), cos r = 1 - r²/2 + r⁴ p(r²).
    end = (m.pi / 4) ** 2 * mpf("1.02")
    sin = root(lambda r: (m.sin(r) - r) / r**3)
    cos = root(lambda r: (m.cos(r) - 1 + r * r / 2) / r**4)
    for bits, terms in ((24, 3), (53, 6)):
        fit(f"sin ({bits} bits)", sin, root(lambda r: r**3 / m.sin(r)), 0, end, terms, bits)
        fit(f"cos ({bits} bits)", cos, root(lambda r: r**4 / m.cos(r)), 0, end, terms, bits)

    # erf x = x + x p(x²) for small x, 1 - e^-p(x) for large.
    erf = root(lambda x: m.erf(x) / x - 1)
    erf_weight = root(lambda x: x / m.erf(x))
    fit("erf_small (f32)", erf, erf_weight, 0, mpf("0.8") ** 2 * mpf("1.001"), 6, 24)
    fit("erf_small (f64)", erf, erf_weight, 0, mpf("0.85") ** 2 * mpf("1.001"), 12, 53)
    tail = lambda x: -m.log(m.erfc(x))
    tail_weight = lambda x: m.erfc(x) / m.erf(x)
    fit("erf, large (f32)", tail, tail_weight, "0.8", "4", 8, 24)
    fit("erf, large (f64)", tail, tail_weight, "0.85", "6", 20, 53)

    # erfc x = e^-x² t p(1 - 2 t) with t = k / (k + x).
    for bits, k, end, terms in ((24, mpf(4), mpf("10.2"), 10), (53, mpf(5), mpf("27.5"), 21)):
        x = lambda q: k * (1 + q) / (1 - q)
        scaled = lambda q: m.exp(x(q) ** 2) * m.erfc(x(q)) / ((1 - q) / 2)
        low, high = ((x - k) / (x + k) for x in (mpf("0.79"), end))
        fit(f"erfc ({bits} bits)", scaled, lambda q: 1 / scaled(q), low, high, terms, bits)


def more_coefficients():
    """The inverse functions and the gamma function's family; "short" ones are for `f32` results computed in `f64`."""
    root = lambda g: lambda z: g(m.sqrt(z))

    # atan t = t + t³ p(t²) for |t| <= 1/2, asin likewise.
    end = mpf("0.25") * mpf("1.001")
    for name, f in (("atan", m.atan), ("asin", m.asin)):
        value, weight = root(lambda t: (f(t) - t) / t**3), root(lambda t: t**3 / f(t))
        fit(f"{name} (f64)", value, weight, 0, end, 13, 53)
        fit(f"{name} (short)", value, weight, 0, end, 7, 53)

    # sin r = r + r³ p(r²), cos r = 1 - r²/2 + r⁴ p(r²), for the tangent.
    end = (m.pi / 4) ** 2 * mpf("1.02")
    sin = root(lambda r: (m.sin(r) - r) / r**3)
    cos = root(lambda r: (m.cos(r) - 1 + r * r / 2) / r**4)
    fit("sin (short)", sin, root(lambda r: r**3 / m.sin(r)), 0, end, 4, 53)
    fit("cos (short)", cos, root(lambda r: r**4 / m.cos(r)), 0, end, 4, 53)

    # 2 atanh s = 2 s + s³ p(s²).
    high = m.sqrt(2) - 1
    atanh = root(lambda s: (2 * m.atanh(s) - 2 * s) / s**3)
    weight = root(lambda s: s**3 / (2 * m.atanh(s)))
    fit("ln_reduced (short)", atanh, weight, 0, (high / (2 + high)) ** 2 * mpf("1.01"), 4, 53)

    # e^r = 1 + r + r² p(r), sinh x = x + x³ p(x²) for |x| <= 1.
    half_ln2 = m.log(2) / 2 * mpf("1.01")
    exp = lambda r: (m.expm1(r) - r) / r**2
    fit("exp_reduced (short)", exp, lambda r: r**2 / m.exp(r), -half_ln2, half_ln2, 6, 53)
    sinh = root(lambda x: (m.sinh(x) - x) / x**3)
    fit("sinh (f64)", sinh, root(lambda x: x**3 / m.sinh(x)), 0, "1.001", 8, 53)

    # sin r = r p(r²) for |r| <= π/2, for the reflection of the gamma function.
    half_turn = (m.pi / 2) ** 2 * mpf("1.001")
    fit("sine (short)", root(lambda r: m.sin(r) / r), root(lambda r: r / m.sin(r)), 0, half_turn, 7, 53)

    # erfinv x = x p(w - 3.125) with w = -ln(1 - x²); above 6.25, p(√w - 3.25) and p(√w - 5). After Giles (2012).
    def ratio(w):
        x = m.sqrt(-m.expm1(-w))
        return m.erfinv(x) / x

    for name, center, ends, wide, power in (
        ("small (short)", "3.125", ("1e-12", "6.26"), 13, 1),
        ("large (short)", "3.25", ("2.49", "4.01"), 10, 2),
        ("small (f64)", "3.125", ("1e-12", "6.26"), 24, 1),
        ("middle (f64)", "3.25", ("2.49", "4.01"), 20, 2),
        ("large (f64)", "5", ("3.99", "6.05"), 19, 2),
    ):
        f = lambda v: ratio((v + mpf(center)) ** power)
        low, high = (mpf(end) - mpf(center) for end in ends)
        fit(f"erfinv, {name}", f, lambda v: 1 / f(v), low, high, wide, 53)

    # log Γ(2 + z) = z (1 - γ + z p(z)).
    about_two = lambda z: (m.loggamma(2 + z) - z * (1 - m.euler)) / z**2
    for name, terms in (("f64", 18), ("short", 10)):
        weight = lambda z: z**2 / abs(m.loggamma(2 + z))
        fit(f"about_two ({name})", about_two, weight, "-0.5001", "0.5003", terms, 53)

    # e^(x²) erfc x = t p(1 - 2 t) with t = 5 / (5 + x), for every x >= 0.
    k = mpf(5)
    x = lambda q: k * (1 + q) / (1 - q)
    scaled = lambda q: m.exp(x(q) ** 2) * m.erfc(x(q)) / ((1 - q) / 2)
    far = lambda q: scaled(q) if x(q) < 40 else asymptotic(x(q)) / ((1 - q) / 2)
    fit("erfcx (f64)", far, lambda q: 1 / far(q), -1, (7200 - k) / (7200 + k), 25, 53)


def asymptotic(x):
    """e^(x²) erfc x by its asymptotic series, for x of at least 40."""
    term, total = mpf(1), mpf(1)
    for n in range(1, 30):
        term *= -(2 * n - 1) / (2 * x * x)
        total += term
    return total / (x * m.sqrt(m.pi))



# ---- reference tables -----------------------------------------------------------------------------------------------


def bits_of(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def from_bits(b):
    return struct.unpack("<d", struct.pack("<Q", b))[0]


def rounded(value):
    """The double nearest to `value` (except for ties and overflow), and the remainder in units in its last place."""
    exponent = max(m.frexp(value)[1] - 53, -1074)
    scaled = m.ldexp(value, -exponent)
    nearest = m.nint(scaled)
    return float(m.ldexp(nearest, exponent)), float(scaled - nearest)


def around(*values):
    """Each value and its nearest neighbours, in both signs."""
    for value in values:
        for delta in (-2, -1, 0, 1, 2):
            x = from_bits(bits_of(value) + delta)
            yield from (x, -x)


LN2 = float(m.log(2))
# name -> function, range of exponents, main interval, thresholds and switching points
FUNCTIONS = {
    "exp": (m.exp, (-60, 9), (-745, 709.7), (709.782712893384, 708.4, 745.1332191019411, LN2 / 2, 0.5, 1.0)),
    "exp2": (lambda x: m.mpf(2) ** x, (-60, 9), (-1074, 1023.9), (0.5, 1.5, 1022.5, 1022.0, 1.0)),
    "expm1": (m.expm1, (-1074, 9), (-40, 709.7), (709.782712893384, LN2 / 2, 1.5 * LN2, 37.4, 1.1e-16, 1.0)),
    "ln": (m.log, (-1074, 1023), (0.5, 2.0), (2.0**-1022, 0.7071067811865476, 1.4142135623730951, 1.0, 1.7e308)),
    "ln_1p": (m.log1p, (-1074, 1023), (-0.999, 2.0), (0.4142135623730951, 0.2928932188134524, 1.1e-16, 0.99999)),
    "tanh": (m.tanh, (-1074, 5), (-3, 3), (LN2 / 4, 0.75 * LN2, 19.06, 1e-8, 0.5)),
    "sigmoid": (lambda x: 1 / (1 + m.exp(-x)), (-60, 9), (-40, 40), (745.1, 708.4, 700.0, 36.7, 0.5)),
    "erf": (m.erf, (-1074, 2), (-6, 6), (0.85, 5.92, 1.0, 0.5, 5.0)),
    "erfc": (m.erfc, (-60, 4), (-6, 27.2), (0.8, 26.543, 27.22, 5.9, 1.0)),
    "sin": (m.sin, (-1074, 29), (-7, 7), ()),
    "cos": (m.cos, (-30, 29), (-7, 7), ()),
    "tan": (m.tan, (-60, 29), (-7, 7), ()),
    "atan": (m.atan, (-60, 1023), (-4, 4), (0.5, 1.0, 2.0)),
    "asin": (m.asin, (-60, 0), (-1, 1), (0.5, 1.0)),
    "acos": (m.acos, (-60, 0), (-1, 1), (0.5, 1.0)),
    "sinh": (m.sinh, (-60, 9), (-4, 4), (1.0, 709.9, 710.47)),
    "cosh": (m.cosh, (-30, 9), (-4, 4), (709.9, 710.47)),
    "asinh": (m.asinh, (-60, 1023), (-4, 4), (1e100,)),
    "acosh": (m.acosh, (0, 1023), (1, 4), (1.0, 1.001, 1e100)),
    "atanh": (m.atanh, (-60, 0), (-1, 1), (0.5, 0.1716, 0.478, 0.999, 1.0)),
    "log2": (lambda x: m.log(x) / m.log(2), (-1074, 1023), (0.5, 2.0), (2.0**-1022, 0.7071067811865476, 1.0)),
    "log10": (m.log10, (-1074, 1023), (0.5, 2.0), (2.0**-1022, 0.7071067811865476, 1.0, 1000.0, 0.1)),
    "erf_inv": (m.erfinv, (-60, 0), (-1, 1), (0.999, 0.9990339, 0.99999994, 1.0)),
}
# The open intervals in which values are taken, where it is not the whole line.
DOMAINS = {
    "ln": (0, m.inf),
    "log2": (0, m.inf),
    "log10": (0, m.inf),
    "ln_1p": (-1, m.inf),
    "asin": (-1, 1),
    "acos": (-1, 1),
    "atanh": (-1, 1),
    "erf_inv": (-1, 1),
    "acosh": (1, m.inf),
}


def points(name, count, short):
    """About `count` arguments; the random ones have 20-bit significands if `short`."""
    _, (low, high), (start, end), special = FUNCTIONS[name]
    rng = random.Random(name)
    trim = (lambda x: from_bits(bits_of(x) & ~0xFFFFFFFF)) if short else (lambda x: x)
    xs = list(around(*special))
    if name in ("sin", "cos", "tan"):
        xs += [k * float(m.pi / 2) for k in range(1, 40)]
        xs += [float(rng.randrange(1, 2**e) * m.pi / 2) for e in range(6, 29) for _ in range(4)]
        xs += [float(rng.randrange(1, 2**e) * m.pi / 4) for e in range(3, 29, 3)]
    for i in range(max(0, count - len(xs))):
        if i % 3 == 0:
            x = float(m.ldexp(mpf(rng.uniform(1, 2)), rng.randrange(low, high))) * rng.choice((-1, 1))
            xs.append(x if low == -1074 and abs(x) < 2e-308 else trim(x))
        else:
            xs.append(trim(rng.uniform(start, end)))
    return xs


def table(name, count, short, path):
    function = FUNCTIONS[name][0]
    with open(path, "w") as out:
        for x in points(name, count, short):
            low, high = DOMAINS.get(name, (-m.inf, m.inf))
            if not low < x < high or x == 0:
                continue
            mp.prec = 200 if abs(x) > 1e-50 else 2300 if name in ("sigmoid", "tanh", "erfc") else 200
            y, left = rounded(function(mpf(x)))
            if abs(y) == float("inf"):
                continue
            mp.prec = 170
            x_bits = f"{bits_of(x):016x}".rstrip("0")
            out.write(f"{x_bits} {bits_of(y):016x} {round(left * 128) & 0xFF:02x}\n")


def tables(count=900, short=True, folder=os.path.dirname(os.path.abspath(__file__))):
    for name in FUNCTIONS:
        table(name, count, short, os.path.join(folder, f"{name}.txt"))


if __name__ == "__main__":
    if sys.argv[1:] == ["coefficients"]:
        coefficients()
        more_coefficients()
    elif sys.argv[1:2] == ["tables"]:
        # A count and a folder make larger tables than the tests keep, with full significands.
        tables(*([int(sys.argv[2]), False, sys.argv[3]] if len(sys.argv) > 3 else []))
    else:
        sys.exit(__doc__)
