-- Insert, index, join, group, sort and text functions on tables in memory.
CREATE TABLE item (id INTEGER PRIMARY KEY, kind INTEGER, price INTEGER, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)
INSERT INTO item SELECT i, i * 7919 % 97, i * 104729 % 10007, 'item ' || (i * 31 % 1009) FROM n;
CREATE INDEX item_kind ON item (kind, price);
CREATE TABLE kind (id INTEGER PRIMARY KEY, label TEXT);
INSERT INTO kind SELECT DISTINCT kind, printf('kind %03d', kind) FROM item;
SELECT label, count(*), sum(price), max(name) FROM item JOIN kind ON kind.id = item.kind GROUP BY label ORDER BY 3 DESC LIMIT 20;
SELECT count(*) FROM item a JOIN item b ON b.kind = a.kind AND b.price = a.price + 1;
SELECT name, count(*) AS many FROM item WHERE name LIKE '%7%' GROUP BY name ORDER BY many DESC, name LIMIT 10;
UPDATE item SET price = price + 1 WHERE kind % 3 = 0;
DELETE FROM item WHERE price % 5 = 0;
SELECT count(*), sum(price), sum(length(name)) FROM item;
