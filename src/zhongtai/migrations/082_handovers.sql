-- Cars that went from somebody to a person who was erased since. The one who had such a car before
-- would own it again once nothing else tells that it was handed over.
create table erasure.handovers (
    vin text not null check (vin <> ''),
    taken_over_at timestamptz not null,
    primary key (vin, taken_over_at)
);
comment on table erasure.handovers is 'Cars that a person who was erased had taken over from another, and when; not by whom.';
