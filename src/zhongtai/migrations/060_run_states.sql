-- A run of several steps rests between them ('built', 'checked'); one whose process is gone while it
-- was at work is 'interrupted'.
alter table ledger.runs drop constraint runs_status_check;
alter table ledger.runs add constraint runs_status_check check (status in
    ('running', 'built', 'checked', 'published', 'nothing_new', 'held', 'failed', 'done', 'interrupted'));
