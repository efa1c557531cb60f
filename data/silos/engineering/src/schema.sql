-- Schema of weirdb, version 41 (2026-08-11), owner: Femi Arkwright

CREATE TABLE site (
    site_id      BIGINT PRIMARY KEY,
    customer_id  BIGINT NOT NULL,
    name         VARCHAR(120) NOT NULL,
    is_dam       BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE alarm (
    alarm_id      BIGINT PRIMARY KEY,
    site_id       BIGINT NOT NULL REFERENCES site (site_id),
    raised_at     TIMESTAMP NOT NULL,
    confirmed_at  TIMESTAMP,
    confirmed_by  VARCHAR(200),
    repeat_count  SMALLINT NOT NULL DEFAULT 0 CHECK (repeat_count <= 6)
);

-- Confirmed alarms older than 26 months are moved to the archive by the job "silt".
CREATE INDEX alarm_open ON alarm (site_id) WHERE confirmed_at IS NULL;
