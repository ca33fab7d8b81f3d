-- Who may use the gateway. Every statement by name, named parameters throughout.

-- insert_access: somebody may use the gateway
INSERT INTO accesses (name, token_sha256, inboxes, rights, created_at)
VALUES (:name, :token_sha256, :inboxes, :rights, :now)

-- get_access: by name
SELECT * FROM accesses WHERE name = :name

-- accesses: everybody who may
SELECT * FROM accesses ORDER BY name

-- delete_access: with its log-ins
DELETE FROM accesses WHERE name = :name

-- use_access: it was used
UPDATE accesses SET used_at = :now WHERE name = :name

-- access_of_token: whose token that is
SELECT * FROM accesses WHERE token_sha256 = :sha256

-- access_of_secret: whose token, or whose log-in that lasts still
SELECT accesses.* FROM accesses WHERE token_sha256 = :sha256
UNION ALL
SELECT accesses.* FROM log_ins JOIN accesses ON accesses.name = log_ins.access
WHERE secret_sha256 = :sha256 AND expires_at > :now
LIMIT 1

-- insert_log_in: a browser's session
INSERT INTO log_ins (secret_sha256, access, created_at, expires_at) VALUES (:sha256, :name, :now, :expires_at)

-- delete_log_in: it was ended
DELETE FROM log_ins WHERE secret_sha256 = :sha256

-- drop_old_log_ins: those that last no more
DELETE FROM log_ins WHERE expires_at <= :now
