-- Rendered by `python -m mr_platform.registry.render` from mr_platform/registry/declared.
-- Do not edit: change the declaration and render again.
CREATE TABLE IF NOT EXISTS online_features (
  symbol STRING NOT NULL OPTIONS(description="Index: NIFTY or BANKNIFTY."),
  ts_minute TIMESTAMP NOT NULL OPTIONS(description="Start of the one-minute bar, UTC; the row is known one minute later."),
  date DATE NOT NULL OPTIONS(description="Session date; equal in UTC and IST for NSE."),
  dte INT64 NOT NULL OPTIONS(description="Calendar days from date to expiry."),
  zone_name STRING NOT NULL OPTIONS(description="Zone of the day: OPEN, MID_MORN, LUNCH, AFTERNOON, CLOSE."),
  c1_vol_compression FLOAT64 OPTIONS(description="ln(s120 / s15), with s_w = sqrt(mean(h_comb^2)) over w bars. Positive when recent volatility is below its two-hour level. (unit: log ratio; range: [-10, 10])"),
  c1_breakout_probability FLOAT64 OPTIONS(description="1 - (1 - p_up) * (1 - p_dn), where p_up = 2 * (1 - Phi(d_up / (s * sqrt(15)))), d_up = ln(max(future_high, 60 bars) / future_close) + b, d_dn = ln(future_close / min(future_low, 60 bars)) + b, p_dn likewise, s = sqrt(mean(h_fut^2, 60 bars)), b = 0.5 * s * sqrt(15). Chance that a driftless Brownian future leaves its 60-minute range by b within 15 minutes, the two sides taken as independent. (unit: probability; range: [0, 1])"),
  c1_decay_excess FLOAT64 OPTIONS(description="ln((P_atm / S) / (P_atm_o / S_o)) - 0.5 * ln(tau / tau_o), o = close of open_bar. Premium kept beyond square-root-of-time decay since the open; zero if implied volatility is unchanged. (unit: log ratio; range: [-10, 10])"),
  c1_momentum_score FLOAT64 OPTIONS(description="tanh(mean over k in 3, 5, 10, 15 of c1_ret_comb_<k>m / (s * sqrt(k))), s = sqrt(mean(h_comb^2)) over 60 bars. Null if any of the four returns is null. (unit: score; range: [-1, 1])"),
  c2_gamma_exposure FLOAT64 OPTIONS(description="GEX = 0.01 * S^2 * 1e-7 * sum over chain of (ce_gamma * ce_oi - pe_gamma * pe_oi). Open interest in units of the index; multiplied by the lot size first where the source counts lots. (unit: crore rupees per 1 percent of spot)"),
  c2_gamma_flip_dist FLOAT64 OPTIONS(description="100 * (F* - F) / F, F* the zero nearest to F of N(f) = sum over chain of (ce_oi * gamma(f, K, ce_iv) - pe_oi * gamma(f, K, pe_iv)), gamma = phi(d1) / (f * s * sqrt(tau)), on the grid f = F * (1 + j / 400), j = -12..12, linear between grid points; the lower of two equally near, F itself where N(F) = 0. With no zero, -3 if N(F) > 0 and 3 if N(F) < 0. (unit: percent of F; range: [-3, 3])"),
  c2_pin_risk_score FLOAT64 OPTIONS(description="sqrt(c2_pin_probability * o_K*), o_K* the share of K* in the open interest of near. (unit: score; range: [0, 1])"),
  c2_sentiment_level INT64 OPTIONS(description="From C = 0.6 * c2_sentiment_score_oi + 0.4 * c2_sentiment_score_vol. 1 if C <= -0.45; 2 if <= -0.25; 3 if <= -0.10; 4 if < 0.10; 5 if < 0.25; 6 if < 0.45; else 7. (unit: level, 1 strong bearish to 7 strong bullish; range: [1, 7])"),
  c3_institutional_flow_score FLOAT64 OPTIONS(description="tanh(0.5 * sum_i w_i*d_i*min(|z_i|, 4)*(0.5 + 0.5*min(a_i/0.2, 1)) / sum_i w_i), i over ce, pe, fut whose three inputs are non-null; w = 0.35, 0.35, 0.30; d_i = the direction d of c3_threeway_alignment for the 5-minute quadrant (sign reversed for pe); z_i = c3_oi_shock_z_<i>; a_i = c3_absorption_<i>_15m (0.03 to 0.15 on real options, hence the scale 0.2). Positive = bullish for the underlying (unit: score; range: [-1, 1])"),
  c3_divergence_type INT64 OPTIONS(description="zp = p_15(fut)/srms(p_15(fut)), zn = o_15(net)/srms(o_15(net)), zv = z60(ln(1 + V_15(ce) + V_15(pe))), zo = z60((G_15(ce) + G_15(pe))/(B_15(ce) + B_15(pe))). type, first match: 1 bullish (zp <= -0.5 and zn >= 0.5: price falls, puts are added), 2 bearish (zp >= 0.5 and zn <= -0.5), 3 churn (zv >= 1 and zo <= 0), 4 quiet build-up (zo >= 1 and zv <= 0), else 0; range 0..4. age = consecutive minutes up to t with the present non-zero type, 0 while type is 0 (unit: code; range: [0, 4])"),
  c3_range_expansion_score FLOAT64 OPTIONS(description="tanh(0.6*c3_range_ratio_15m + 0.2*c3_range_ratio_5m + 0.2*x/srms(x)), x = c3_oi_dispersion_change_15m; positive = the price range widens and open interest spreads over strikes (unit: score; range: [-1, 1])"),
  c3_volume_profile INT64 OPTIONS(description="place in the session's value area: +1 if c3_volume_profile_dev > 1, -1 if < -1, else 0 (balanced) (unit: code; range: [-1, 1])"),
  c4_term_structure_signal INT64 OPTIONS(description="from s = ln(iv_1/iv_2): 2 if s >= 0.10 (steep backwardation, stress), 1 if s >= 0.02, -2 if s <= -0.10 (steep contango), -1 if s <= -0.02, else 0 (unit: code; range: [-2, 2])"),
  c4_volatility_rank FLOAT64 OPTIONS(description="irank of iv_atm over the previous 252 trading days of the same symbol and dte_bucket, or over the days there are when fewer (unit: rank; range: [0, 1])"),
  c4_iv_regime_level INT64 OPTIONS(description="1 extremely low, 2 very low, 3 low, 4 normal, 5 high, 6 very high, 7 extremely high: 1 + the number of bounds 0.10, 0.25, 0.40, 0.60, 0.75, 0.90 that x reaches (x >= bound); x = ivp for regime_level; x = the zone percentile over the longest of 252, 60, 20 trading days with enough values for zone_level (unit: level; range: [1, 7])"),
  c4_skew_bias_score FLOAT64 OPTIONS(description="tanh(sum of w_i*u_i/sum of w_i over non-null terms): u_1 = -c4_risk_reversal_25d/0.20, u_2 = c4_skew_k3/0.10, u_3 = -c4_smile_slope/0.10; w = 0.4, 0.3, 0.3. Positive = puts richer than calls (unit: score; range: [-1, 1])"),
  c5_volatility_regime_score INT64 OPTIONS(description="min(4, floor(5*(0.6*c5_atr_14_strd_pctl_20d + 0.4*c5_atr_14_und_pctl_20d) + 1e-9)) (unit: level; range: [0, 4])"),
  c5_confluence_score FLOAT64 OPTIONS(description="0.6*V_strd+0.4*V_und, V per asset = |c5_ema_alignment_<asset>/3 + c5_cpr_zone_daily_<asset> + sign(ema_50_<asset>_t - ema_50_<asset>_{t-5})|/3 (the sign of the slope needs no ATR, so no future) (unit: score; range: [0, 1])"),
  c5_momentum_score FLOAT64 OPTIONS(description="tanh(0.5*c5_ema_slope_20_und + 0.3*c5_ema_slope_50_und + 0.2*(spot-ema_50_und)/(5*A14_und)) (unit: score; range: [-1, 1])"),
  c5_straddle_momentum_score FLOAT64 OPTIONS(description="tanh(0.5*c5_ema_slope_20_strd + 0.3*c5_ema_slope_50_strd + 0.2*(strd-ema_50_strd)/(5*A14_strd)) (unit: score; range: [-1, 1])"),
  c6_correlation_agreement_score FLOAT64 OPTIONS(description="1 - mean over the 6 anchor and 10 inter-component pairs of |rho_30m - rho_60m|/2 (unit: score; range: [0, 1])"),
  c6_breakdown_alert INT64 OPTIONS(description="n = #{pairs with |c6_anchor_z_<pair>| >= 2}; 0 if n=0, 1 if n=1, 2 if n in 2..3, 3 if n>=4 (unit: level; range: [0, 3])"),
  c6_system_stability_score FLOAT64 OPTIONS(description="exp(-2*mean over pairs of c6_anchor_vol_<pair>) (unit: score; range: [0, 1])"),
  c7_nearest_support_dist FLOAT64 OPTIONS(description="100*(spot - max pool level <= spot)/spot; 100*(min pool level > spot - spot)/spot (side = support) (unit: percent; range: [0, ..])"),
  c7_nearest_resistance_dist FLOAT64 OPTIONS(description="100*(spot - max pool level <= spot)/spot; 100*(min pool level > spot - spot)/spot (side = resistance) (unit: percent; range: [0, ..])"),
  c7_breakout_probability FLOAT64 OPTIONS(description="q(x)=2*Phi(-(x+0.05)/(100*sigma1_30*sqrt(30))), u=q(c7_nearest_resistance_dist), d=q(c7_nearest_support_dist); 1-(1-u)*(1-d): chance of passing either edge by tau within 30 min (independence approximation) (unit: probability; range: [0, 1])"),
  c7_level_strength_score FLOAT64 OPTIONS(description="sum over sides of strength*exp(-dist/0.25) / sum of exp(-dist/0.25), with c7_nearest_<side>_strength and _dist (unit: score; range: [0, 1])"),
  c8_component_agreement_score FLOAT64 OPTIONS(description="|sum d_i| / sum |d_i| over the direction votes (unit: score; range: [0, 1])"),
  c8_consensus_direction FLOAT64 OPTIONS(description="mean of the channel's votes (channel = direction) (unit: score; range: [-1, 1])"),
  c8_data_completeness FLOAT64 OPTIONS(description="mean over C1..C7 of (non-null features of the component / its feature count) in the row (unit: share; range: [0, 1])"),
  c8_integration_confidence FLOAT64 OPTIONS(description="c8_data_completeness * 0.5*(c8_component_agreement_score + c8_expansion_agreement_score) * (1-exp(-(1+min(c8_persistence_direction, c8_persistence_expansion))/15)) (unit: score; range: [0, 1])"),
  c8_transition_probability_hint FLOAT64 OPTIONS(description="logistic(-1 + 0.6*z1 + 0.6*z2 + 0.5*b/3 + 0.4*s): z1,z2 = session expanding z (clipped to +-3, min 30) of c8_consensus_vol_30m_expansion and of -(c8_agreement_change_15m_expansion), b = c6_breakdown_alert, s = 1 if c3_divergence_type != 0 else 0; b and s count 0 when null. Deterministic index, not calibrated (unit: probability; range: [0, 1])"),
  feature_version STRING NOT NULL OPTIONS(description="Code version that the features were computed by.")
)
PARTITION BY date
CLUSTER BY symbol, dte
OPTIONS(
  description="The 32 features served online, one row per symbol, minute and dte; a row is served from one minute after ts_minute.",
  require_partition_filter=TRUE,
  labels=[("feature_count", "32")]
);
