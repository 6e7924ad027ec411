-- What the landing watcher has told Airflow. A lost row only means that a delivery is announced again.
create table ledger.announcements (
    source text not null,
    file text not null,
    bytes bigint not null,
    modified_at timestamptz not null,
    marker text not null,
    announced_at timestamptz not null default clock_timestamp(),
    primary key (source, file, bytes, modified_at, marker)
);
