-- Grain: one row per run, suite and expectation.
-- Why: what the gate checked before each publish, held runs included, and what it saw.
select
    run_id,
    suite,
    expectation,
    severity,
    outcome = 'passed' as success,
    outcome,
    observed,
    because,
    checked_at
from {{ source("meta", "gate_results") }}
