-- enter_hospital
-- Takes a hospital's role and schema until the end of this transaction.
SELECT set_config('role', %(role)s, true), set_config('search_path', %(schema)s, true)
