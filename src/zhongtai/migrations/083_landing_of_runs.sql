-- Where the files of a run lay: an erasure with another landing zone tells of those it did not see.
alter table ledger.runs add column landing text;
comment on column ledger.runs.landing is 'The landing zone that the run looked at, without password; NULL of runs that took nothing in';
