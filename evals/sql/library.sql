-- A library: keys are declared, loans that are not back have no date of return.
CREATE TABLE branches (id INTEGER PRIMARY KEY, name TEXT, opened DATE);
CREATE TABLE authors (id INTEGER PRIMARY KEY, full_name TEXT, country TEXT);
CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, author_id INTEGER REFERENCES authors (id), year INTEGER,
                    genre TEXT, pages INTEGER);
CREATE TABLE copies (id INTEGER PRIMARY KEY, book_id INTEGER REFERENCES books (id), branch_id INTEGER REFERENCES
                     branches (id), state TEXT);
CREATE TABLE readers (id INTEGER PRIMARY KEY, full_name TEXT, born INTEGER, city TEXT);
CREATE TABLE loans (id INTEGER PRIMARY KEY, copy_id INTEGER REFERENCES copies (id), reader_id INTEGER REFERENCES
                    readers (id), taken DATE, due DATE, returned DATE);
INSERT INTO branches VALUES (1, 'Central', '1987-05-01'), (2, 'Harbour', '2004-09-15'), (3, 'Hill', '2015-02-01');
INSERT INTO authors VALUES (1, 'Ines Duarte', 'Portugal'), (2, 'Tom Hale', 'Ireland'), (3, 'Yuki Mori', 'Japan');
INSERT INTO books VALUES (1, 'Salt Roads', 1, 2009, 'novel', 320), (2, 'The Quiet Engine', 2, 2015, 'science', 210),
  (3, 'Paper Moons', 3, 2018, 'novel', 180), (4, 'Deep Rivers', 1, 2020, 'travel', 260), (5, 'Stars at Noon', 2, 2021,
  'science', 400);
INSERT INTO copies VALUES (1, 1, 1, 'good'), (2, 1, 2, 'worn'), (3, 2, 1, 'good'), (4, 3, 3, 'good'), (5, 4, 2, 'good'),
  (6, 5, 1, 'new'), (7, 5, 3, 'new'), (8, 3, 1, 'worn');
INSERT INTO readers VALUES (1, 'Anna Berg', 1990, 'Northwick'), (2, 'Carl Dunn', 1975, 'Eastham'), (3, 'Eva Frost', 2004,
  'Northwick'), (4, 'Gus Hart', 1988, 'Westbury');
INSERT INTO loans VALUES (1, 1, 1, '2024-01-05', '2024-02-05', '2024-01-30'), (2, 3, 1, '2024-02-10', '2024-03-10',
  '2024-03-20'), (3, 2, 2, '2024-02-12', '2024-03-12', NULL), (4, 6, 2, '2024-03-01', '2024-04-01', '2024-03-28'),
  (5, 4, 3, '2024-03-03', '2024-04-03', '2024-04-10'), (6, 7, 3, '2024-04-15', '2024-05-15', NULL), (7, 8, 1,
  '2024-04-20', '2024-05-20', '2024-05-01'), (8, 1, 3, '2024-05-02', '2024-06-02', '2024-05-30');
