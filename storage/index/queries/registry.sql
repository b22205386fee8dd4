-- lock_migrations
-- Waits until no other process migrates this database, and keeps others waiting until the session ends.
SELECT pg_advisory_lock(hashtext('pacs migrations'))

-- hospital_schemas
-- Lists the schema and role of every hospital.
SELECT schema_name, role_name FROM registry.hospital ORDER BY hospital

-- add_hospital
-- Enters a hospital.
INSERT INTO registry.hospital (hospital, schema_name, role_name, ae_title, title)
VALUES (%(hospital)s, %(schema_name)s, %(role_name)s, %(ae_title)s, %(title)s)

-- role_exists
-- Tells whether the cluster has this role.
SELECT FROM pg_roles WHERE rolname = %(role)s

-- hospitals
-- Lists every hospital.
SELECT hospital, ae_title, title FROM registry.hospital ORDER BY hospital

-- hospital_role
-- Finds the schema and role behind a hospital's name.
SELECT schema_name, role_name FROM registry.hospital WHERE hospital = %(hospital)s

-- modalities
-- Lists the admission list: which AE title may send from which address to which hospital.
SELECT hospital, ae_title, host(address) FROM registry.modality ORDER BY hospital, ae_title, address

-- admit_modality
-- Adds a modality to the admission list; repeating it changes nothing.
INSERT INTO registry.modality (hospital, ae_title, address)
VALUES (%(hospital)s, %(ae_title)s, %(address)s) ON CONFLICT DO NOTHING

-- dismiss_modality
-- Takes a modality off the admission list.
DELETE FROM registry.modality
WHERE hospital = %(hospital)s AND ae_title = %(ae_title)s AND address = %(address)s
