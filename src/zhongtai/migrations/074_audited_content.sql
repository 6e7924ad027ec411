-- A verdict is about one content: publishing compares.
alter table ledger.gate_verdicts add column audited_hash text;
comment on column ledger.gate_verdicts.audited_hash is 'Hash of the tables that were looked at; a candidate that holds anything else is not published.';
