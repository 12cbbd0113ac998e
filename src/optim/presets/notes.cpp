#include "optim/presets/notes.h"

#include <span>

namespace galore {
namespace {

const char* const kSigns =
    "each new basis vector takes the sign that agrees with the old one (signs=lapack: as LAPACK leaves it); "
    "the basis is found by one warm iteration instead of an SVD (subspace=svd: exact) and refreshes are "
    "staggered (refresh=together: as published)";

struct Note {
  const char* preset;
  const char* equation;
  const char* departures;
};

const Note kFullRank[] = {
    {"adamw_torch",
     "M = b1 M + (1-b1) G; V = b2 V + (1-b2) G^2; W -= lr (M / (1-b1^t)) / (sqrt(V / (1-b2^t)) + eps)",
     "none"},
    {"adamw_8bit",
     "as AdamW; M and V are kept in 8-bit codes of the dynamic books, a scale a block of block_size",
     "factors of beta and t are taken in fp64 and rounded once; a block of zeros stays zero"},
    {"adafactor",
     "b2t = 1 - t^decay_rate; row, column: means of G^2 + eps with b2t; "
     "U = G rsqrt(row / mean(row)) rsqrt(column); W -= lr U / max(1, RMS(U) / clip_threshold)",
     "relative_step and scale_parameter do not exist: the learning rate is given"},
    {"sgd", "M = momentum M + (1 - dampening) G; W -= lr M", "none"},
    {"rmsprop", "V = rms_beta V + (1 - rms_beta) G^2; W -= lr G / (sqrt(V) + rms_epsilon)", "none"},
};

const Note kGaLore[] = {
    {"galore_adamw",
     "R = P^T G; W -= lr scale back(rule(R)); rule: AdamW with eps added before the bias correction", kSigns},
    {"galore_adamw_8bit", "R = P^T G; W -= lr scale back(rule(R)); rule: 8-bit AdamW", kSigns},
    {"galore_adafactor", "as GaLore over AdamW; rule: Adafactor", kSigns},
    {"galore_sgd", "as GaLore over AdamW; rule: SGD with momentum", kSigns},
    {"golore_adamw",
     "as GaLore; P is drawn uniformly among orthonormal bases every update_proj_gap updates, and the "
     "moments are turned into it",
     "V is turned by the squares of the turn, as LDAdam does; there is no first phase with SVD"},
    {"q_galore_adamw_8bit",
     "as galore_adamw_8bit; P in 4-bit groups; W in 8-bit groups, W = round_at_random(W - lr scale back(N)); "
     "the "
     "gap of a weight doubles when the mean cosine of queue_size leading vectors is at least "
     "cos_threshold",
     "two codes a byte; the range of a group holds 0; scales in fp32 and zeros in 8 bits instead of bf16; "
     "the cosine's sign is "
     "dropped, since an SVD's is arbitrary; bases as galore_adamw's"},
    {"adarankgrad_adamw",
     "as GaLore over AdamW; at a refresh the rank is the smallest whose residual has at most the share "
     "`energy` of ||G||^2; moments M turn by P_new^T P_old, V by its squares",
     "V turns by squares because the paper's turn makes it negative; the inner criterion is ||R|| <= "
     "inner_criterion ||R at the refresh||, off by default, as the paper's thresholds are not published"},
    {"galore_spam_adamw", "as GaLore over AdamW; SPAM's clipping and resets act on R and its moments",
     "a combination of the two papers"},
};

const Note kResidual[] = {
    {"fira_adamw",
     "N = M / (sqrt(V) + eps); k_j = ||N_j|| / ||R_j||; S = limit(k (G - scale back(R))); "
     "W -= lr c (scale back(N) + S). variant=paper: N with c inside; S = limit(k (G - back(R))); "
     "W -= lr scale (back(N) + S)",
     "limiter=0 switches the limiter off; bases as GaLore's"},
    {"fira_adamw_8bit", "as fira_adamw over 8-bit AdamW", "the authors have no 8-bit form"},
    {"fira_adafactor", "as fira_adamw over Adafactor, c = 1", "the authors have no such form"},
    {"fira_rmsprop", "as fira_adamw; N = R / (sqrt(V) + eps), c = 1", "weight decay exists"},
    {"apollo_adamw",
     "N = M / (sqrt(V) + eps) of R; s_j = ||N_j|| / ||R_j||; U = limit(s G) sqrt(scale); W -= lr c U",
     "P is made again from its random stream whenever it is read, so it takes no memory"},
    {"apollo_mini", "as apollo_adamw with rank 1 and one s a weight", "as apollo_adamw"},
    {"q_apollo_adamw", "as apollo_adamw; W in 8-bit groups, rounded at random",
     "weights as in q_galore_adamw_8bit"},
    {"q_apollo_mini", "as apollo_mini; W in 8-bit groups, rounded at random",
     "weights as in q_galore_adamw_8bit"},
    {"frugal_adamw",
     "W -= lr (back(M / ((1-b1^t)(sqrt(V / (1-b2^t)) + eps))) + sign_scale sign(G - back(R))); moments "
     "are "
     "reset at a refresh",
     "the rank is given instead of a density; a basis of the whole space has no residual"},
    {"subtrack_adamw",
     "P moves along the Grassmannian by the rank-one part of 2 (G - P R) R^T; moments as LDAdam; Fira's "
     "scaled residual and limiter",
     "the paper, not the released code, whose residual is on the wrong side for m >= n; step_size is "
     "relative to the singular value"},
    {"ldadam_adamw",
     "a = G + e; P = qr(b b^T P_prev), b = rho P_prev M^ + (1-rho) a; moments turn by P^T P_prev; "
     "e = a - P R + b1/(1-b1) (P_prev M_prev - P M~); W -= lr P M^ / (sqrt(V^) + eps)",
     "square matrices are projected on the left, as theirs"},
    {"osd_adamw",
     "every update one step of Adam on ||P P^T g - g||^2 + osd_lambda ||P^T P - I||^2, g = G / ||G||; W "
     "as "
     "GaLore",
     "see the method's header"},
    {"sumo",
     "M = momentum M + R; O = U V^T of the SVD of M; W -= lr scale sqrt(max(m, n)) (G - back(R) + "
     "back(limit(O))); M turns into a new basis",
     "side as GaLore's; O has no component where M has none"},
    {"mofasgd", "momentum is kept as U S V^T of rank r and updated without an m x n matrix; W -= lr U V^T",
     "see the method's header"},
    {"flora",
     "U = G / sqrt(Adafactor's second moment); D = beta1 back(M) + (1-beta1) U; M = beta1 M + (1-beta1) "
     "project(U); "
     "W -= lr D / max(1, RMS(D)); M turns into a new random basis",
     "the learning rate is not multiplied by the weight's RMS; bases change before updates T + 1, 2T + 1, "
     "..."},
    {"natural_galore_adamw", "R~ = (H H^T + damping I)^-1 R, H the last low-rank gradients; then GaLore",
     "history and damping are ours, the paper gives none"},
    {"coap_adamw",
     "P from Q^T G, Q = orth(G P), now and then; else a step on mean (G P P^T - G)^2 (1 - mean cos(M P^T, "
     "G)); "
     "W -= lr scale back(N)",
     "GaLore's AdamW"},
    {"lora_pre",
     "B A follows G, C D follows |G|, by alternating least squares at Adam's rates; m = b1 B A + (1-b1) G, "
     "v = b2 (C D)^2 + (1-b2) G^2; W -= lr m^ / (sqrt(v^) + eps)",
     "the first factors are singular triples: the paper does not say; 1e-6 of damping"},
};

const Note kFullUpdate[] = {
    {"spam_adamw",
     "t mod interval = 0: M = V = 0; g = sign(g) sqrt(threshold V) where g^2 > threshold V; AdamW times a "
     "warm-up factor after each reset; density below 1: of a random subset of elements",
     "no clipping where V is 0; decay acts on all elements"},
    {"stable_spam_adamw",
     "elements above the mean of max|G| are scaled to it; G / ||G|| times m / (sqrt(v) + eps) of its "
     "norms; "
     "moments are zeroed every interval; AdamW",
     "counters=separate counts the norms' and bounds' averages apart from the moments; shared is "
     "released"},
    {"foam_adamw",
     "A: means over 2^level neighbours along the inputs; r = G - A; M, V of A and of the means of G^2; "
     "W -= lr c scale (M + rho r) / (sqrt(V + rho^2 r^2) + eps)",
     "V of means of squares, as in the authors' code; the paper prints squares of means"},
    {"gwt_adamw",
     "Haar transform of G along the inputs; AdamW of the approximation; details over the same sqrt(V); "
     "Fira's limiter; transformed back, times scale",
     "zeros fill up rows whose length 2^level does not divide"},
    {"racs", "q, s: averages of a fixed point of row and column scales; W -= lr scale limit(G / sqrt(q s^T))",
     "zero rows and columns stay zero; the paper divides by zero"},
    {"alice",
     "AdamW in a leading eigenbasis with switched directions, and the residual over the root of its "
     "columns' energy",
     "refreshes at updates 1, K + 1, ... instead of 1, K, ...; drawn directions avoid all of the old "
     "basis; epsilon beside the roots"},
    {"scale",
     "W -= lr G / RMS over the inputs of each output row; the head: of its momentum; the embedding: over "
     "the vocabulary; other tensors: AdamW",
     "none"},
    {"muon",
     "M = b M + (1-b) G; X = five Newton-Schulz steps of (1-b) G + b M; W -= lr scale sqrt(max(1, m/n)) X",
     "none"},
    {"swan", "rows of G are standardized, then whitened by (G G^T)^-1/2, and given their norm back",
     "Muon's five quintic steps in the place of the paper's cubic ones"},
    {"sinkgd", "rows and columns of G are divided by their norms in turn", "none"},
    {"adam_mini", "M as AdamW; one V an output row, of the mean of G^2",
     "rows also for queries and keys, where the authors have heads; embedding and head: AdamW, as theirs"},
    {"badam",
     "AdamW of one layer at a time, the next one's turn every switch_every updates; its state is reset",
     "other tensors are updated all the time; see the method's header"},
    {"lomo", "W -= lr G, each weight in the backward pass",
     "the norm to clip by is the update's before (layerwise_clipping) instead of a second backward pass's"},
    {"adalomo", "factored second moment as Adafactor's, updates clipped by their RMS",
     "the weight's RMS is not multiplied in, as no method sees weights"},
};

}  // namespace

PresetNote preset_note(const std::string& preset) {
  for (const std::span<const Note> family :
       {std::span<const Note>(kFullRank), std::span<const Note>(kGaLore), std::span<const Note>(kResidual),
        std::span<const Note>(kFullUpdate)})
    for (const Note& note : family)
      if (preset == note.preset) return {note.equation, note.departures};
  return {};
}

}  // namespace galore
