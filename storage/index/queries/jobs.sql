-- applied_steps
-- Lists which steps of procrastinate's own schema this database has; made with the first.
SELECT step FROM jobs.step

-- add_step
-- Notes that a step of procrastinate's own schema was applied.
INSERT INTO jobs.step (step) VALUES (%(step)s)

-- where_we_are
-- Tells role and search path of this transaction, to come back to.
SELECT current_setting('role') AS role, current_setting('search_path') AS schema

-- is_waiting
-- Tells whether such a job waits already.
SELECT FROM procrastinate_jobs WHERE queueing_lock = %(lock)s AND status = 'todo'

-- bring_forward
-- Lets a job that waits run as soon as it is wanted now.
UPDATE procrastinate_jobs SET scheduled_at = now() + make_interval(secs => %(delay)s)
WHERE queueing_lock = %(lock)s AND status = 'todo' AND scheduled_at > now() + make_interval(secs => %(delay)s)

-- drop_stalled
-- Forgets jobs whose worker is gone: each is made anew from its rows, and would block those of its lock for ever.
DELETE FROM procrastinate_jobs
WHERE status = 'doing' AND NOT EXISTS (
    SELECT FROM procrastinate_workers
    WHERE procrastinate_workers.id = procrastinate_jobs.worker_id
        AND last_heartbeat > now() - make_interval(secs => %(seconds)s)
)

-- drop_ended
-- Forgets jobs that ended; what they came to stands in the rows that they were for.
DELETE FROM procrastinate_jobs WHERE status IN ('failed', 'aborted', 'cancelled', 'succeeded')
