-- Rendered by `python -m mr_platform.registry.render` from mr_platform/registry/declared.
-- Do not edit: change the declaration and render again.
CREATE TABLE IF NOT EXISTS load_audit (
  symbol STRING NOT NULL OPTIONS(description="Index of the audited partition."),
  date DATE NOT NULL OPTIONS(description="Session date of the audited partition."),
  rule STRING NOT NULL OPTIONS(description="Quality rule, as declared in raw_chain.yaml."),
  severity STRING NOT NULL OPTIONS(description="quarantine, set_aside, warn or error."),
  rows_checked INT64 OPTIONS(description="Rows (or minutes) the rule looked at."),
  rows_failed INT64 OPTIONS(description="Rows (or minutes) that failed it."),
  share FLOAT64 OPTIONS(description="rows_failed / rows_checked; 0 where nothing was checked."),
  passed BOOL NOT NULL OPTIONS(description="Verdict of the rule on the partition."),
  detail STRING OPTIONS(description="What was found, for people."),
  loaded_at TIMESTAMP NOT NULL OPTIONS(description="When the partition was loaded, UTC."),
  code_version STRING NOT NULL OPTIONS(description="Code version that judged.")
)
PARTITION BY date
CLUSTER BY symbol, rule
OPTIONS(
  description="What every quality rule found in every loaded partition.",
  require_partition_filter=TRUE
);
