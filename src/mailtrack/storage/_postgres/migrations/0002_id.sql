-- By which this database is known wherever it is moved, and its copies are known to be others.

INSERT INTO settings (name, value) VALUES ('id', replace(gen_random_uuid()::text, '-', ''));
