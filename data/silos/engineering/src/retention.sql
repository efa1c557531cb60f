-- Nightly clean-up of the support database. Runs at 03:30 UTC.
-- Call recordings are kept for 30 days, see the data retention schedule.
DELETE FROM call_recording WHERE recorded_at < now() - INTERVAL '30 days';

-- Session tokens of Osprey
DELETE FROM osprey_session WHERE last_seen < now() - INTERVAL '25 minutes';

-- Exports that customers did not fetch
DELETE FROM export_file WHERE created_at < now() - INTERVAL '14 days';
