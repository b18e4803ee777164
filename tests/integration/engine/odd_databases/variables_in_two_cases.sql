-- Keys that differ by case, and one in letters that few encodings have.
insert into variable (key, val, is_encrypted) values ('Größe', 'x', false), ('größe', 'x', false), ('世界', 'x', false);
