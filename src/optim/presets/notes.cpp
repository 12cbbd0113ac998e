#include "optim/presets/notes.h"

#include <span>

namespace galore {
namespace {

const char* const kSigns =
    "each new basis vector takes the sign that agrees with the old one (signs=lapack keeps LAPACK's sign); "
    "one warm iteration finds the basis instead of an SVD (subspace=svd is exact); refreshes of different "
    "weights are spread over the gap (refresh=together refreshes all at once, as published)";

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
     "as adamw_torch; M and V are kept in 8-bit dynamic codes with one scale for each block of block_size",
     "factors of beta and t are computed in fp64 and rounded once; a block of zeros stays zero"},
    {"adafactor",
     "b2t = 1 - t^decay_rate; row, column: means of G^2 + eps, averaged with b2t; "
     "U = G rsqrt(row / mean(row)) rsqrt(column); W -= lr U / max(1, RMS(U) / clip_threshold)",
     "there are no relative_step and scale_parameter, because the learning rate is given"},
    {"sgd", "M = momentum M + (1 - dampening) G; W -= lr M", "none"},
    {"rmsprop", "V = rms_beta V + (1 - rms_beta) G^2; W -= lr G / (sqrt(V) + rms_epsilon)", "none"},
};

const Note kGaLore[] = {
    {"galore_adamw",
     "R = P^T G; W -= lr scale back(rule(R)); rule: AdamW with eps added before the bias correction", kSigns},
    {"galore_adamw_8bit", "R = P^T G; W -= lr scale back(rule(R)); rule: 8-bit AdamW", kSigns},
    {"galore_adafactor", "as galore_adamw; rule: Adafactor", kSigns},
    {"galore_sgd", "as galore_adamw; rule: SGD with momentum", kSigns},
    {"golore_adamw",
     "as galore_adamw; P is drawn uniformly among orthonormal bases every update_proj_gap updates, and the "
     "moments are rotated into it",
     "V is rotated by the squares of the rotation, as in LDAdam; there is no first phase with SVD"},
    {"q_galore_adamw_8bit",
     "as galore_adamw_8bit; P is quantized in 4-bit groups; W is quantized in 8-bit groups, and W = "
     "round_at_random(W - lr scale back(N)); a weight's gap doubles when the mean cosine of queue_size "
     "leading vectors is at least cos_threshold",
     "a byte holds two 4-bit codes; the range of a group includes 0; scales are fp32 and zero points 8 bits "
     "instead of bf16; the cosine's sign is ignored, because the sign of an SVD is arbitrary; bases are "
     "found as in galore_adamw"},
    {"adarankgrad_adamw",
     "as galore_adamw; a refresh takes the smallest rank whose residual has at most the share `energy` of "
     "||G||^2; M is rotated by P_new^T P_old, V by the squares of its elements",
     "V is rotated by squares because the paper's rotation makes it negative; the inner criterion is ||R|| "
     "<= inner_criterion ||R at the refresh||; it is off by default, because the paper's thresholds are not "
     "published"},
    {"galore_spam_adamw", "as galore_adamw; SPAM's clipping and resets act on R and its moments",
     "the two papers do not combine their methods"},
};

const Note kResidual[] = {
    {"fira_adamw",
     "N = M / (sqrt(V) + eps); k_j = ||N_j|| / ||R_j||; S = limit(k (G - scale back(R))); "
     "W -= lr c (scale back(N) + S). variant=paper: N with c inside; S = limit(k (G - back(R))); "
     "W -= lr scale (back(N) + S)",
     "limiter=0 switches the limiter off; bases are found as in galore_adamw"},
    {"fira_adamw_8bit", "as fira_adamw; rule: 8-bit AdamW", "the authors have no 8-bit version"},
    {"fira_adafactor", "as fira_adamw; rule: Adafactor, c = 1", "the authors have no version with Adafactor"},
    {"fira_rmsprop", "as fira_adamw; N = R / (sqrt(V) + eps), c = 1", "weight decay also works"},
    {"apollo_adamw",
     "N = M / (sqrt(V) + eps) of R; s_j = ||N_j|| / ||R_j||; U = limit(s G) sqrt(scale); W -= lr c U",
     "P is generated from its random stream whenever it is read, so it takes no memory"},
    {"apollo_mini", "as apollo_adamw with rank 1 and a single s for each weight", "as apollo_adamw"},
    {"q_apollo_adamw", "as apollo_adamw; W is quantized in 8-bit groups and rounded at random",
     "weights are quantized as in q_galore_adamw_8bit"},
    {"q_apollo_mini", "as apollo_mini; W is quantized in 8-bit groups and rounded at random",
     "weights are quantized as in q_galore_adamw_8bit"},
    {"frugal_adamw",
     "W -= lr (back(M / ((1-b1^t)(sqrt(V / (1-b2^t)) + eps))) + sign_scale sign(G - back(R))); a "
     "refresh resets the moments",
     "the rank is given instead of a density; a basis of the whole space has no residual"},
    {"subtrack_adamw",
     "P moves along the Grassmannian by the rank-one part of 2 (G - P R) R^T; moments are rotated as in "
     "LDAdam; the residual is scaled and limited as in Fira",
     "we follow the paper, because the released code projects the residual on the wrong side for m >= n; "
     "step_size is relative to the singular value"},
    {"ldadam_adamw",
     "a = G + e; P = qr(b b^T P_prev), b = rho P_prev M^ + (1-rho) a; moments are rotated by P^T P_prev; "
     "e = a - P R + b1/(1-b1) (P_prev M_prev - P M~); W -= lr P M^ / (sqrt(V^) + eps)",
     "proj_type=std projects square matrices from the left, as in the authors' code"},
    {"osd_adamw",
     "as galore_adamw; in every update P takes one step of Adam on ||P P^T g - g||^2 + osd_lambda "
     "||P^T P - I||^2, g = G / ||G||",
     "no weight decay acts on P; a zero gradient does not move P"},
    {"sumo",
     "M = momentum M + R; O = U V^T of the SVD of M; W -= lr scale sqrt(max(m, n)) (G - back(R) + "
     "back(limit(O))); M is rotated into a new basis",
     "the projected side is chosen as in GaLore; O has no component where M has none"},
    {"mofasgd",
     "the momentum is kept as U S V^T of rank r and updated without an m x n matrix; W -= lr scale U V^T",
     "U, S and V start from the gradient's singular triples, as in the paper and unlike the authors' code; "
     "pairs of vectors whose singular value is mere rounding do not enter the direction"},
    {"flora",
     "U = G / sqrt(Adafactor's second moment); D = beta1 back(M) + (1-beta1) U; M = beta1 M + (1-beta1) "
     "project(U); "
     "W -= lr D / max(1, RMS(D)); M is carried over into each new random basis",
     "the learning rate is not multiplied by the weight's RMS; bases change before updates T + 1, 2T + 1, "
     "... instead of after T, 2T, ..."},
    {"natural_galore_adamw",
     "R~ = (H H^T + damping I)^-1 R, where H holds the last low-rank gradients; then as galore_adamw with R~",
     "the defaults of history and damping are ours, because the paper gives none"},
    {"coap_adamw",
     "every update_proj_gap updates P takes a step on mean (G P P^T - G)^2 (1 - mean cos(M P^T, G)); at "
     "every reproject_factor-th of them P is found from the SVD of Q^T G, Q = orth(G P), instead; "
     "W -= lr scale back(N)",
     "GaLore's AdamW runs inside the subspace and decays the weight after the update"},
    {"lora_pre",
     "B A follows G, C D follows |G|, by alternating least squares at Adam's rates; m = b1 B A + (1-b1) G, "
     "v = b2 (C D)^2 + (1-b2) G^2; W -= lr m^ / (sqrt(v^) + eps)",
     "the first factors are the gradient's singular triples, because the paper does not say how they "
     "begin; Gram matrices are damped by 1e-6 of their mean diagonal"},
};

const Note kFullUpdate[] = {
    {"spam_adamw",
     "when t mod interval = 0, M = V = 0; g = sign(g) sqrt(threshold V) where g^2 > threshold V; AdamW "
     "times a warm-up factor after each reset; a density below 1 updates a random subset of elements",
     "elements with V = 0 are not clipped; decay acts on all elements"},
    {"stable_spam_adamw",
     "elements above the average of max|G| are scaled down to it; G is divided by its norm and multiplied "
     "by m / (sqrt(v) + eps), where m and v are moments of the norm; moments are set to zero every interval "
     "updates; AdamW",
     "counters=separate counts the averages of norms and bounds apart from the moments; counters=shared "
     "follows the released code"},
    {"foam_adamw",
     "A: means over 2^level neighbours along the inputs; r = G - A; M averages A, V the means of G^2; "
     "W -= lr c scale (M + rho r) / (sqrt(V + rho^2 r^2) + eps)",
     "V averages means of squares, as in the authors' code; the paper prints squares of means"},
    {"gwt_adamw",
     "G is Haar-transformed along the inputs; AdamW updates the approximation and limits it as Fira does; "
     "details are divided by the same sqrt(V); the result is transformed back and multiplied by scale",
     "rows are padded with zeros to a multiple of 2^level; the authors' library extends them"},
    {"racs", "q, s: averages of fixed-point row and column scales; W -= lr scale limit(G / sqrt(q s^T))",
     "rows and columns of zeros stay zero; the paper divides by zero there"},
    {"alice",
     "AdamW in the leading eigenvectors and some random directions; the residual is added, each column "
     "divided by the root of its average energy",
     "refreshes come at updates 1, K + 1, ... instead of 1, K, ...; random directions avoid all of the old "
     "basis; epsilon is added to the roots"},
    {"scale",
     "W -= lr G / RMS, where RMS is taken over the inputs of each output row; the head uses its momentum "
     "instead of G; the embedding is normalized over the vocabulary; AdamW updates other tensors",
     "none"},
    {"muon",
     "M = b M + (1-b) G; X = five Newton-Schulz steps of (1-b) G + b M; W -= lr scale sqrt(max(1, m/n)) X",
     "none"},
    {"swan", "rows of G are standardized, whitened by (G G^T)^-1/2 and rescaled to the norm they had",
     "Muon's five quintic steps replace the paper's cubic ones"},
    {"sinkgd", "rows and columns of G are divided by their norms alternately", "none"},
    {"adam_mini", "M as in AdamW; each output row has one V, which averages the mean of G^2 over the row",
     "queries and keys also have one V for each row, where the authors have one for each head; AdamW updates "
     "embedding and head, as in the paper"},
    {"badam",
     "AdamW updates one layer at a time; every switch_every updates the next layer's turn begins with a "
     "state of zeros",
     "layers come in ascending order; tensors outside the layers are trained in every update"},
    {"lomo", "W -= lr G for each weight during the backward pass",
     "clipping uses the norm of the previous update (layerwise_clipping) instead of a second backward pass"},
    {"adalomo", "the second moment is factored as in Adafactor; updates are clipped by their RMS",
     "updates are not multiplied by the weight's RMS, because methods do not see weights"},
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
