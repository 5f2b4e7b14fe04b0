/* A network by hand in C that speaks docs/protocol.md, and is right: cc -O2 examples/c/network.c -lm -o network, then
   backproof check 'run: ./network'. With an argument, './network --mistake', slopes are taken at a in place of z. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define EACH(i, count) for (size_t i = 0; i < (count); i++)
#define READY "{\"kind\": \"ready\", \"supports\": {\"depth\": [1, 6], \"losses\": [\"half_squared_error\"], " \
              "\"activations\": [\"tanh\", \"sigmoid\", \"relu\", \"identity\"]}}"
enum { MOST = 16, POOL = 1 << 22 };
static double pool[POOL], *W[MOST], *b[MOST], *z[MOST], *a[MOST], *d[MOST]; /* of each layer; d: dC/dz; a row for each sample */
static size_t used, n[MOST], L, samples;
static char name[MOST], line[1 << 26], *at; /* name: the first letter of each activation; at: what is read next */

static double *take(size_t count) { return (used += count) <= POOL ? pool + used - count : (exit(1), NULL); }
static void find(const char *key) { at = strstr(at, key) + strlen(key); }
static double number(void) { return at += strcspn(at, "-0123456789"), strtod(at, &at); } /* brackets and commas are skipped */
static double *numbers(size_t count) { double *all = take(count); EACH(i, count) all[i] = number(); return all; }
static double g(char f, double z) { return f == 't' ? tanh(z) : f == 's' ? 1 / (1 + exp(-z)) : f == 'r' ? fmax(z, 0) : z; }
static double slope(char f, double z) { return f == 't' ? 1 / cosh(z) / cosh(z) : f == 's' ? g(f, z) * g(f, -z) : f == 'r' ? z > 0 : 1; }
static void show(const char *before, size_t l, size_t i, size_t j) { /* dC/dW[i][j], or dC/db[i] where j is no input */
    double v = 0;
    EACH(s, samples) v += d[l][s * n[l] + i] * (j < n[l - 1] ? a[l - 1][s * n[l - 1] + j] : 1);
    printf(isfinite(v) ? "%s%.17g" : isnan(v) ? "%s\"NaN\"" : v > 0 ? "%s\"Infinity\"" : "%s\"-Infinity\"", before, v);
}
int main(int arguments, char *words[]) {
    for (double **slopes_at = arguments > 1 && words[1] ? a : z; fgets(line, sizeof line, stdin); used = L = 0, fflush(stdout)) {
        if (strstr(line, "\"kind\": \"start\"")) { puts(READY); continue; }
        at = line, find("\"id\": "); /* the keys come in the order in which they are looked for here */
        printf("{\"kind\": \"answer\", \"id\": %.0f, \"gradient\": {\"layers\": ", number());
        for (find("\"widths\": "), n[0] = number(); *at != ']';) n[++L] = number();
        find("\"batch\": "), samples = number();
        for (size_t l = 1; l <= L; l++) {
            find("\"activation\": \""), name[l] = *at;
            find("\"weights\": "), W[l] = numbers(n[l] * n[l - 1]);
            find("\"biases\": "), b[l] = *at == 'n' ? NULL : numbers(n[l]); /* null where a layer has none */
        }
        find("\"reduction\": \""); double share = *at == 'm' ? 1.0 / samples : 1; /* mean or sum */
        find("\"x\": "), a[0] = numbers(samples * n[0]);
        find("\"y\": "); double *y = numbers(samples * n[L]);
        for (size_t l = 1; l <= L; l++) {
            z[l] = take(samples * n[l]), a[l] = take(samples * n[l]), d[l] = take(samples * n[l]);
            EACH(s, samples) EACH(i, n[l]) {
                double sum = b[l] ? b[l][i] : 0;
                EACH(j, n[l - 1]) sum += W[l][i * n[l - 1] + j] * a[l - 1][s * n[l - 1] + j];
                z[l][s * n[l] + i] = sum, a[l][s * n[l] + i] = g(name[l], sum);
            }
        }
        for (size_t l = L; l >= 1; l--) EACH(s, samples) EACH(i, n[l]) {
            double error = l == L ? (a[L][s * n[L] + i] - y[s * n[L] + i]) * share : 0;
            if (l < L) EACH(k, n[l + 1]) error += W[l + 1][k * n[l] + i] * d[l + 1][s * n[l + 1] + k];
            d[l][s * n[l] + i] = error * slope(name[l], slopes_at[l][s * n[l] + i]);
        }
        for (size_t l = 1; l <= L; l++, printf("]}")) {
            EACH(i, n[l]) EACH(j, n[l - 1]) show(j ? ", " : i ? "], [" : l > 1 ? ", {\"weights\": [[" : "[{\"weights\": [[", l, i, j);
            EACH(i, n[l]) show(i ? ", " : "]], \"biases\": [", l, i, n[l - 1]);
        }
        puts("]}}");
    }
}
