-- What sorts files as people number them; zhongtai.landing.order says the same in Python.
alter table ledger.deliveries add column file_order text collate "C" not null generated always as (
    regexp_replace(
        regexp_replace(
            replace(regexp_replace(file, '\.[A-Za-z][A-Za-z0-9]{0,4}(\.gz)?$', ''), '/', chr(1)),
            '([0-9]+)', repeat('0', 20) || '\1', 'g'
        ),
        '[0-9]*([0-9]{20})', '\1', 'g'
    )
) stored;
