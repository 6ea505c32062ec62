-- A small animal clinic: keys are not declared, some dates are texts.
CREATE TABLE owner (owner_id INTEGER, owner_name TEXT, town TEXT, since TEXT);
CREATE TABLE animal (animal_id INTEGER, owner_id INTEGER, call_name TEXT, species TEXT, born TEXT, weight_kg REAL);
CREATE TABLE vet (vet_id INTEGER, vet_name TEXT, field TEXT);
CREATE TABLE visit (visit_id INTEGER, animal_id INTEGER, vet_id INTEGER, visited_on TEXT, reason TEXT, fee REAL,
                    paid INTEGER);
CREATE TABLE treatment (visit_id INTEGER, drug TEXT, dose_mg INTEGER);
INSERT INTO owner VALUES (1, 'Mara Lind', 'Aarau', '2019-04-02'), (2, 'Jon Frey', 'Olten', '2020-07-15'),
  (3, 'Pia Roth', 'Aarau', '2021-01-20'), (4, 'Sven Keller', 'Baden', '2022-11-03');
INSERT INTO animal VALUES (1, 1, 'Rex', 'dog', '2017-05-01', 28.5), (2, 1, 'Mimi', 'cat', '2019-09-12', 4.2),
  (3, 2, 'Bello', 'dog', '2015-02-20', 33.0), (4, 3, 'Hoppel', 'rabbit', '2021-06-06', 2.1),
  (5, 3, 'Luna', 'cat', '2020-03-30', 3.9), (6, 4, 'Kira', 'dog', '2021-12-24', 19.4);
INSERT INTO vet VALUES (1, 'Dr. Amsler', 'surgery'), (2, 'Dr. Boner', 'dentistry'), (3, 'Dr. Costa', 'general');
INSERT INTO visit VALUES (1, 1, 3, '2023-01-10', 'vaccination', 80, 1), (2, 1, 1, '2023-03-02', 'operation', 640, 1),
  (3, 2, 3, '2023-03-15', 'vaccination', 75, 1), (4, 3, 2, '2023-05-20', 'teeth', 310, 0),
  (5, 3, 3, '2023-06-11', 'check-up', 60, 1), (6, 4, 3, '2023-06-30', 'check-up', 55, 1),
  (7, 5, 1, '2023-09-08', 'operation', 480, 0), (8, 6, 3, '2023-09-21', 'vaccination', 80, 1),
  (9, 6, 2, '2024-01-18', 'teeth', 150, 1), (10, 1, 3, '2024-02-02', 'check-up', 60, 1);
INSERT INTO treatment VALUES (1, 'Rabisin', 1), (2, 'Propofol', 120), (2, 'Carprofen', 50), (3, 'Rabisin', 1),
  (4, 'Carprofen', 60), (7, 'Propofol', 40), (8, 'Rabisin', 1), (9, 'Carprofen', 30);
