-- add_token
-- Stores the digest of a new token.
INSERT INTO registry.access_token (digest, kind, hospital, subject, expires_at, may_delete)
VALUES (
    %(digest)s, %(kind)s, %(hospital)s, %(subject)s, now() + make_interval(secs => %(lifetime)s), %(may_delete)s
)

-- use_link
-- Uses a one-time link up: of two requests with the same link, one gets a row.
UPDATE registry.access_token SET used_at = now()
WHERE digest = %(digest)s AND kind = 'link' AND used_at IS NULL AND expires_at > now()
RETURNING digest, hospital, subject, may_delete

-- find_token
-- Finds a session or bearer token that is still good.
SELECT digest, hospital, subject, may_delete FROM registry.access_token
WHERE digest = %(digest)s AND kind IN ('session', 'bearer') AND expires_at > now()

-- revoke_token
-- Ends one token.
DELETE FROM registry.access_token WHERE digest = %(digest)s

-- revoke_subject
-- Ends every token of one person or script in one hospital.
DELETE FROM registry.access_token WHERE hospital = %(hospital)s AND subject = %(subject)s

-- drop_expired
-- Forgets tokens that have been useless for a day.
DELETE FROM registry.access_token WHERE expires_at < now() - interval '1 day'
