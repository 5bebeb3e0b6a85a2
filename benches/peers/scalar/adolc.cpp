// The programs of benches/src/scalar/programs.rs in ADOL-C, beside plain double in the same run. Prints a JSON object a
// line, as the other engines' binaries do with --json, or with --check.
#include <adolc/adolc.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

using Clock = std::chrono::steady_clock;

template <class T> void keep(T &value) { asm volatile("" : : "r"(&value) : "memory"); }

std::vector<double> numbers(size_t n) {
    std::vector<double> v(n);
    for (size_t i = 0; i < n; i++) v[i] = double((i * 7919 + 13) % 10007) / 5003.5 - 1.0;
    return v;
}

double positive(double x) { return std::fmax(x, 0.0); }
adouble positive(const adouble &x) { return fmax(x, 0.0); }

const int WIDTHS[] = {16, 32, 32, 1};
const size_t WEIGHTS = 1633, MANY = 1000, P2_STEPS = 1000000, P4_N = 1000000, SIDE = 101, P5_STEPS = 16;
const int P3B_STEPS = 20;
const double DT = 1.0 / P3B_STEPS;
const double START[] = {0.0, 0.04, 1.5, 0.04, 0.3, -0.6, 0.02};

template <class R> R network(const R *w, const std::vector<double> &x, double target) {
    std::vector<R> h(x.begin(), x.end()), next;
    for (int layer = 0; layer < 3; layer++) {
        next.clear();
        for (int unit = 0; unit < WIDTHS[layer + 1]; unit++) {
            R sum = *w++;
            for (int i = 0; i < WIDTHS[layer]; i++) {
                // The sample is of constants.
                if (layer == 0) sum += *w++ * x[i];
                else sum += *w++ * h[i];
            }
            if (layer < 2) next.push_back(tanh(sum));
            else next.push_back(sum);
        }
        std::swap(h, next);
    }
    R e = h[0] - target;
    return e * e;
}

template <class R> R oscillate(const R &start, const R &y) {
    R x = start;
    for (size_t i = 0; i < P2_STEPS; i++) x = sin(x) * 0.9 + x * y * 0.1;
    return x;
}

void option(size_t i, double *x) {
    const double of[] = {100.0, 80.0 + double(i % 41), 0.03, 0.15 + double(i % 7) * 0.02, 0.5 + double(i % 5) * 0.1};
    std::memcpy(x, of, sizeof of);
}

template <class R> R cdf(const R &x) { return erf(x * M_SQRT1_2) * 0.5 + 0.5; }
template <class R> R black_scholes(const R *x) {
    const R &spot = x[0], &strike = x[1], &rate = x[2], &vol = x[3], &time = x[4];
    R deviation = vol * sqrt(time);
    R d1 = (log(spot / strike) + (rate + vol * vol * 0.5) * time) / deviation;
    R d2 = d1 - deviation;
    R discounted = strike * exp(-(rate * time));
    R call = spot * cdf<R>(d1) - discounted * cdf<R>(d2);
    R put = discounted * cdf<R>(-d2) - spot * cdf<R>(-d1);
    return call + put;
}

template <class R> R path(const R *p, const double *z) {
    R x = p[0], v = p[1];
    const R &kappa = p[2], &theta = p[3], &xi = p[4], &rho = p[5], &rate = p[6];
    R orthogonal = sqrt(-(rho * rho) + 1.0);
    for (int k = 0; k < P3B_STEPS; k++, z += 2) {
        R variance = positive(v);
        R root = sqrt(variance * DT);
        R noise = rho * z[0] + orthogonal * z[1];
        x = x + (rate - variance * 0.5) * DT + root * z[0];
        v = v + kappa * (theta - variance) * DT + xi * root * noise;
    }
    return positive(exp(x) - 1.0);
}

template <class R> R chain(const R *x) {
    R sum = 0.0;
    for (size_t i = 1; i < P4_N; i++) sum += x[i] * exp(x[i - 1]);
    return sum;
}

template <class R> R burgers(const R &u, const R &v, const R *f, size_t side) {
    const double C = 0.05, D = 0.02;
    const R &at = f[0], &west = f[-1], &east = f[1], &south = *(f - side), &north = f[side];
    return at - u * C * (at - west) - v * C * (at - south) + (east - at * 2.0 + west) * D +
           (north - at * 2.0 + south) * D;
}
template <class R> R march(const R *start) {
    const size_t points = SIDE * SIDE;
    std::vector<R> now(start, start + 2 * points), next = now;
    for (size_t step = 0; step < P5_STEPS; step++) {
        for (size_t field = 0; field < 2; field++)
            for (size_t j = 1; j < SIDE - 1; j++)
                for (size_t i = j * SIDE + 1; i < (j + 1) * SIDE - 1; i++)
                    next[field * points + i] = burgers(now[i], now[points + i], &now[field * points + i], SIDE);
        std::swap(now, next);
    }
    R total = now[0];
    for (size_t i = 1; i < 2 * points; i++) total += now[i];
    return total;
}

// Records f at x.
template <class F> void record(short tag, const double *x, size_t n, F f) {
    static std::vector<adouble> v;
    if (v.size() < n) v = std::vector<adouble>(n);
    trace_on(tag, 1);
    for (size_t i = 0; i < n; i++) v[i] <<= x[i];
    adouble y = f(v.data());
    double value;
    y >>= value;
    trace_off();
}

// Records f at x, sweeps, and writes the derivatives.
template <class F> void gradient(const double *x, size_t n, double *grads, F f) {
    const short tag = 1;
    record(tag, x, n, f);
    double one = 1.0;
    reverse(tag, 1, int(n), 0, &one, grads);
}

// Records f once, and then evaluates the record at x, and sweeps.
template <class F> std::function<void(double *)> replayed(short tag, const double *x, size_t n, F f) {
    return [=, recorded = false](double *grads) mutable {
        if (!recorded) record(tag, x, n, f);
        recorded = true;
        gradient(tag, int(n), x, grads);
    };
}

const char *const NAMES[] = {"plain", "ADOL-C", "ADOL-C, replayed"};

struct Program {
    const char *name;
    double ops;
    size_t inputs;
    std::function<void()> plain;
    // Recorded and swept each time; recorded once, where what is recorded is the same each time.
    std::function<void(double *)> recorded, replayed;
};

int main(int argc, char **argv) {
    std::string chosen = "p1,p2,p3a,p3b,p4,p5";
    int rounds = 7, millis = 60;
    bool check = false;
    for (int i = 1; i < argc; i++) {
        std::string arg = argv[i];
        if (arg == "--check") check = true;
        else if (arg == "--json") continue;
        else if (i + 1 == argc) return 2;
        else if (arg == "--programs") chosen = argv[++i];
        else if (arg == "--rounds") rounds = std::atoi(argv[++i]);
        else if (arg == "--millis") millis = std::atoi(argv[++i]);
        else return 2;
    }

    std::vector<double> weights = numbers(WEIGHTS), x = numbers(16), y = numbers(P4_N);
    for (double &w : weights) w *= 0.3;
    const std::vector<double> z = numbers(2 * P3B_STEPS + MANY), start = numbers(2 * SIDE * SIDE);
    const double oscillator[] = {0.7, 2.0};
    const std::vector<Program> programs = {
        {"P1", 3202, WEIGHTS,
         [&] {
             keep(weights);
             double e = network(weights.data(), x, 0.5);
             keep(e);
         },
         [&](double *g) {
             gradient(weights.data(), WEIGHTS, g, [&](adouble *w) { return network(w, x, 0.5); });
         },
         replayed(2, weights.data(), WEIGHTS, [&](adouble *w) { return network(w, x, 0.5); })},
        {"P2", 5.0 * P2_STEPS, 2,
         [&] {
             double from[] = {oscillator[0], oscillator[1]};
             keep(from);
             double e = oscillate(from[0], from[1]);
             keep(e);
         },
         [&](double *g) {
             gradient(oscillator, 2, g, [](adouble *v) { return oscillate<adouble>(v[0], v[1]); });
         },
         replayed(3, oscillator, 2, [](adouble *v) { return oscillate<adouble>(v[0], v[1]); })},
        {"P3a", 40.0 * MANY, 5 * MANY,
         [&] {
             for (size_t i = 0; i < MANY; i++) {
                 double o[5];
                 option(i, o);
                 keep(o);
                 double e = black_scholes(o);
                 keep(e);
             }
         },
         [&](double *g) {
             for (size_t i = 0; i < MANY; i++) {
                 double o[5];
                 option(i, o);
                 gradient(o, 5, g + 5 * i, [](adouble *v) { return black_scholes(v); });
             }
         },
         [&, recorded = false](double *g) mutable {
             double o[5];
             option(0, o);
             if (!recorded) record(4, o, 5, [](adouble *v) { return black_scholes(v); });
             recorded = true;
             for (size_t i = 0; i < MANY; i++) {
                 option(i, o);
                 gradient(4, 5, o, g + 5 * i);
             }
         }},
        {"P3b", 387.0 * MANY, 7 * MANY,
         [&] {
             for (size_t i = 0; i < MANY; i++) {
                 double from[7];
                 std::memcpy(from, START, sizeof from);
                 keep(from);
                 double e = path(from, z.data() + i);
                 keep(e);
             }
         },
         [&](double *g) {
             for (size_t i = 0; i < MANY; i++)
                 gradient(START, 7, g + 7 * i, [&](adouble *v) { return path(v, z.data() + i); });
         },
         // A path's normal numbers are constants of its record.
         nullptr},
        {"P4", 3.0 * (P4_N - 1), P4_N,
         [&] {
             keep(y);
             double e = chain(y.data());
             keep(e);
         },
         [&](double *g) { gradient(y.data(), P4_N, g, [](adouble *v) { return chain(v); }); },
         replayed(5, y.data(), P4_N, [](adouble *v) { return chain(v); })},
        {"P5", double(P5_STEPS * (SIDE - 2) * (SIDE - 2) * 36), 2 * SIDE * SIDE,
         [&] {
             keep(start);
             double e = march(start.data());
             keep(e);
         },
         [&](double *g) { gradient(start.data(), start.size(), g, [](adouble *v) { return march(v); }); },
         replayed(6, start.data(), start.size(), [](adouble *v) { return march(v); })},
    };

    for (const Program &p : programs) {
        std::string lower = p.name;
        for (char &c : lower) c = char(std::tolower(c));
        if (("," + chosen + ",").find("," + lower + ",") == std::string::npos) continue;
        std::vector<double> grads(p.inputs);
        if (check) {
            for (int i = 0; i < (p.replayed ? 2 : 1); i++) {
                (i == 0 ? p.recorded : p.replayed)(grads.data());
                std::vector<double> direction = numbers(p.inputs);
                double slope = 0.0, size = 0.0;
                for (size_t k = 0; k < p.inputs; k++) {
                    slope += grads[k] * direction[k];
                    size += std::fabs(grads[k] * direction[k]);
                }
                std::printf("{\"program\": \"%s\", \"variant\": \"%s\", \"slope\": %.17g, \"size\": %.17g}\n", p.name,
                            NAMES[i + 1], slope, size);
            }
            continue;
        }
        double best[3] = {INFINITY, INFINITY, INFINITY};
        const int variants = p.replayed ? 3 : 2;
        for (int round = 0; round < rounds; round++)
            for (int i = 0; i < variants; i++) {
                auto run = [&] {
                    if (i == 0) p.plain();
                    else (i == 1 ? p.recorded : p.replayed)(grads.data());
                    keep(grads);
                };
                run();
                auto begin = Clock::now();
                do {
                    auto one = Clock::now();
                    run();
                    best[i] = std::fmin(best[i], std::chrono::duration<double, std::nano>(Clock::now() - one).count());
                } while (Clock::now() - begin < std::chrono::milliseconds(millis));
            }
        for (int i = 0; i < variants; i++)
            std::printf("{\"program\": \"%s\", \"variant\": \"%s\", \"ns\": %.4f, \"bytes\": 0}\n", p.name, NAMES[i],
                        best[i] / p.ops);
    }
}
