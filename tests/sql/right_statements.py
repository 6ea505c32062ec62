# ruff: noqa: E501 - one statement a line
"""Statements on the shop that are right as they are: a repair of one of them is a mistake."""

PLAIN = """
SELECT name FROM customers
SELECT * FROM orders
SELECT c.* FROM customers c
SELECT customers.name, orders.total FROM customers JOIN orders ON orders.customer_id = customers.id
SELECT c.name, o.total FROM customers AS c LEFT JOIN orders AS o ON c.id = o.customer_id
SELECT C.NAME FROM Customers C WHERE c.City = 'Bern'
SELECT count(*) FROM orders WHERE status = 'paid'
SELECT DISTINCT city FROM customers ORDER BY city
SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY n DESC
SELECT status, count(*) FROM orders GROUP BY 1 ORDER BY 2 DESC
SELECT status AS state, sum(total) FROM orders GROUP BY state HAVING sum(total) > 50
SELECT city, count(*) FROM customers GROUP BY city HAVING count(*) > 1
SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders WHERE total > 50)
SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id AND o.total > 100)
SELECT name FROM customers WHERE NOT EXISTS (SELECT 1 FROM orders WHERE customer_id = customers.id)
SELECT name, (SELECT max(total) FROM orders WHERE customer_id = customers.id) AS largest FROM customers
SELECT t.status, t.n FROM (SELECT status, count(*) AS n FROM orders GROUP BY status) AS t WHERE t.n > 1
WITH big AS (SELECT * FROM orders WHERE total > 50) SELECT c.name, big.total FROM big JOIN customers c ON c.id = big.customer_id
WITH a AS (SELECT customer_id, sum(total) AS spent FROM orders GROUP BY customer_id), b AS (SELECT avg(spent) AS mean FROM a) SELECT a.customer_id FROM a, b WHERE a.spent > b.mean
SELECT e.full_name, b.full_name AS boss FROM employees e LEFT JOIN employees b ON e.boss_id = b.employee_id
SELECT o.id, p.title FROM orders o JOIN order_items i ON i.order_id = o.id JOIN products p ON p.product_id = i.product_id
SELECT title FROM products WHERE price BETWEEN 1 AND 50 AND stock > 0
SELECT title, price * stock AS worth FROM products ORDER BY worth DESC LIMIT 2
SELECT title, CASE WHEN stock = 0 THEN 'gone' WHEN stock < 10 THEN 'few' ELSE 'many' END AS state FROM products
SELECT name FROM customers WHERE credit IS NULL OR credit > 5
SELECT name FROM customers WHERE active
SELECT count(*) FROM customers WHERE NOT active
SELECT sum(CASE WHEN active THEN 1 ELSE 0 END) FROM customers
SELECT name FROM customers UNION SELECT full_name FROM employees ORDER BY 1
SELECT city FROM customers INTERSECT SELECT city FROM customers WHERE country = 'CH'
SELECT country FROM customers EXCEPT SELECT 'DE'
SELECT id, total, rank() OVER (ORDER BY total DESC) AS place FROM orders
SELECT customer_id, ordered_at, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_at) AS nth FROM orders
SELECT customer_id, sum(total) OVER (PARTITION BY customer_id) AS spent FROM orders
SELECT status, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) AS place FROM orders GROUP BY status
SELECT status, sum(count(*)) OVER () AS every FROM orders GROUP BY status
SELECT avg(total) FROM orders
SELECT sum(total) / count(*) FROM orders
SELECT salary / 1000 AS bucket, count(*) FROM employees GROUP BY salary / 1000
SELECT stock % 2 FROM products
SELECT count(DISTINCT customer_id) FROM orders
SELECT coalesce(credit, 0) FROM customers
SELECT lower(name), upper(city), length(country) FROM customers
SELECT name || ' of ' || city FROM customers
SELECT name FROM customers WHERE name LIKE 'A%'
SELECT name FROM customers ORDER BY joined DESC
SELECT name FROM customers ORDER BY length(name), name
SELECT id FROM orders WHERE rating IN (4, 5)
SELECT max(ordered_at), min(ordered_at) FROM orders
SELECT "select", "two words" FROM "Odd Names" WHERE "Größe" = 3
SELECT "Odd Names"."Id" FROM "Odd Names"
SELECT o."Id" FROM "Odd Names" AS o
SELECT orders.id AS customer_id FROM orders ORDER BY customer_id
SELECT total AS id FROM orders WHERE id = 1
SELECT count(*) AS total FROM orders
SELECT c.city, avg(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.city ORDER BY avg(o.total)
SELECT c.id, c.name, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c.name
SELECT x.n FROM (SELECT count(*) AS n FROM orders) AS x
SELECT 1
SELECT 1 + 1 AS two, 'a -- b; drop' AS harmless
SELECT a.id, b.id FROM orders a, orders b WHERE a.id < b.id
SELECT id FROM orders CROSS JOIN categories
SELECT order_id FROM order_items JOIN products USING (product_id) WHERE product_id = 1
SELECT title FROM products WHERE price > (SELECT avg(price) FROM products)
SELECT title FROM products p WHERE price > (SELECT avg(price) FROM products q WHERE q.category_id = p.category_id)
SELECT cast(shipped AS date) FROM orders
SELECT id FROM orders WHERE shipped > '2024-01-01'
SELECT id FROM orders WHERE ordered_at >= '2024-02-01'
WITH RECURSIVE chain(id, depth) AS (SELECT employee_id, 0 FROM employees WHERE boss_id IS NULL UNION ALL SELECT e.employee_id, c.depth + 1 FROM employees e JOIN chain c ON e.boss_id = c.id) SELECT id, depth FROM chain
SELECT round(price) FROM products
SELECT total FROM orders ORDER BY orders.id LIMIT 1 OFFSET 1
SELECT count(*) FROM orders o JOIN customers c ON o.customer_id = c.id AND c.active
"""
POSTGRES = """
SELECT DATE_TRUNC('month', ordered_at) AS month, count(*) FROM orders GROUP BY month ORDER BY month
SELECT EXTRACT(YEAR FROM ordered_at)::int FROM orders
SELECT to_char(ordered_at, 'YYYY-MM') FROM orders
SELECT id FROM orders WHERE ordered_at > now() - interval '10 years'
SELECT name FROM customers WHERE name ILIKE '%a%'
SELECT DISTINCT ON (customer_id) customer_id, ordered_at FROM orders ORDER BY customer_id, ordered_at DESC
SELECT count(*) FILTER (WHERE status = 'paid') AS paid, count(*) FROM orders
SELECT string_agg(name, ', ' ORDER BY name) FROM customers
SELECT c.name, last.total FROM customers c LEFT JOIN LATERAL (SELECT total FROM orders o WHERE o.customer_id = c.id ORDER BY ordered_at DESC LIMIT 1) last ON true
SELECT city, country, count(*) FROM customers GROUP BY ROLLUP (country, city)
SELECT city, country, count(*) FROM customers GROUP BY GROUPING SETS ((city), (country))
SELECT unnest(string_to_array(tags, ',')) FROM products
SELECT p.title, tag FROM products p, unnest(string_to_array(p.tags, ',')) AS tag
SELECT g FROM generate_series(1, 3) AS g
SELECT d::date FROM generate_series('2024-01-01'::date, '2024-01-03', '1 day') d
SELECT c.id, c.name, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders
SELECT count(*)::float / nullif((SELECT count(*) FROM customers), 0) FROM orders
SELECT avg(CASE WHEN status = 'paid' THEN 1.0 ELSE 0 END) FROM orders
SELECT shipped::date - ordered_at::date FROM orders
SELECT age(joined) FROM customers
SELECT round(total, 1) FROM orders
SELECT round(price::numeric, 1) FROM products
SELECT array_agg(id ORDER BY id) FROM orders
SELECT v.n FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t)
VALUES (1, 'x'), (2, 'y')
SELECT o.*, c.name FROM orders o NATURAL JOIN (SELECT id AS customer_id, name FROM customers) c
SELECT json_build_object('n', name) FROM customers
SELECT bool_and(active) FROM customers
SELECT id FROM orders WHERE (customer_id, status) IN ((1, 'paid'), (2, 'open'))
SELECT max(total) - min(total) AS spread FROM orders HAVING count(*) > 1
SELECT date_part('dow', ordered_at) FROM orders
SELECT lag(total) OVER w FROM orders WINDOW w AS (ORDER BY ordered_at)
SELECT status FROM orders GROUP BY status ORDER BY min(ordered_at)
SELECT position('a' IN name), substring(name FROM 1 FOR 2), left(name, 1) FROM customers
SELECT current_date - joined FROM customers
SELECT ordered_at AT TIME ZONE 'UTC' FROM orders
SELECT coalesce(nullif(tags, ''), 'none') FROM products
"""
SQLITE = """
SELECT strftime('%Y-%m', ordered_at) AS month, count(*) FROM orders GROUP BY month
SELECT date('now', '-1 month')
SELECT julianday('now') - julianday(joined) FROM customers
SELECT group_concat(name, ', ') FROM customers
SELECT ifnull(credit, 0) FROM customers
SELECT name, max(credit) FROM customers GROUP BY city
SELECT instr(name, 'a'), substr(name, 1, 2) FROM customers
SELECT iif(active, 'yes', 'no') FROM customers
SELECT rowid, name FROM customers
SELECT count(*) FROM customers WHERE active = 1
SELECT total(credit) FROM customers
"""
DUCKDB = """
SELECT date_trunc('month', ordered_at) AS month, count(*) FROM orders GROUP BY ALL
SELECT year(ordered_at), month(ordered_at) FROM orders
SELECT count(*) / 2 FROM orders
SELECT name FROM customers ORDER BY ALL
SELECT * EXCLUDE (credit) FROM customers
SELECT median(price) FROM products
SELECT date_diff('day', joined, current_date) FROM customers
SELECT arg_max(name, credit) FROM customers
SELECT strftime(ordered_at, '%Y-%m') FROM orders
SELECT name FROM customers QUALIFY row_number() OVER (PARTITION BY city ORDER BY name) = 1
SELECT ifnull(credit, 0) FROM customers
"""


def lines(*texts: str) -> list[str]:
    """One statement a line."""
    return [line for text in texts for line in text.strip().splitlines()]
