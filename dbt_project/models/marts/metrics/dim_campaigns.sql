-- Grain: one row per campaign of the CRM.
-- Why: what a campaign_code promised, where, when, and for how much.
select
    campaign_code,
    name as campaign_name,
    platform,
    promised_benefit,
    discount_fen,
    budget_fen,
    started_at,
    ended_at
from {{ ref("stg_crm__campaigns") }}
