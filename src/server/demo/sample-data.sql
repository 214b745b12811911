-- A small book shop: the same rows every time. Runs as the creator of the instance, in one transaction.
create schema shop;
comment on schema shop is 'A small book shop to try Postern with. Drop it whenever you like.';

create table shop.customer (
  id integer generated always as identity primary key,
  name text not null,
  email text not null unique,
  city text not null,
  joined_on date not null
);

create table shop.book (
  id integer generated always as identity primary key,
  title text not null,
  author text not null,
  price numeric(6, 2) not null check (price > 0),
  stock integer not null check (stock >= 0)
);

create table shop.purchase (
  id integer generated always as identity primary key,
  customer_id integer not null references shop.customer,
  placed_at timestamptz not null,
  status text not null check (status in ('paid', 'shipped', 'delivered', 'returned'))
);
create index purchase_by_customer on shop.purchase (customer_id);

create table shop.purchase_line (
  purchase_id integer not null references shop.purchase,
  book_id integer not null references shop.book,
  quantity integer not null check (quantity > 0),
  unit_price numeric(6, 2) not null,
  primary key (purchase_id, book_id)
);

insert into shop.book (title, author, price, stock)
select title, author, price, 5 + (n * 7) % 40
from (values
  (1, 'The Salt Road', 'Mira Halloran', 18.90), (2, 'A Lamp in the Wall', 'Jonas Adeyemi', 12.50),
  (3, 'Tide Tables', 'Ines Carvalho', 15.00), (4, 'The Clockmaker''s Apprentice', 'Tomas Lindqvist', 21.40),
  (5, 'Field Notes on Moss', 'Hana Okada', 27.00), (6, 'Seven Small Bridges', 'Leila Nasser', 13.75),
  (7, 'The Cartographer''s Error', 'Ruben Aalto', 19.20), (8, 'Bread and Weather', 'Noor van Dijk', 24.90),
  (9, 'Letters to a Lighthouse', 'Eoin Brady', 11.30), (10, 'The Quiet Orchard', 'Sabine Keller', 16.60),
  (11, 'Numbers for Evening', 'Arun Mehta', 22.80), (12, 'Postern Gate', 'Grace Whitlock', 14.95)
) as book (n, title, author, price);

insert into shop.customer (name, email, city, joined_on)
select first || ' ' || last, lower(first) || '.' || lower(last) || '@example.test', city, date '2025-01-01' + (i * 5) % 300
from generate_series(1, 60) as i
cross join lateral (select
  (array['Ada', 'Bela', 'Chidi', 'Dora', 'Emil', 'Farah', 'Goran', 'Hana', 'Ivo', 'Jun'])[1 + (i - 1) % 10] as first,
  (array['Moreau', 'Novak', 'Okafor', 'Petrov', 'Quist', 'Rossi'])[1 + (i - 1) / 10] as last,
  (array['Lisbon', 'Tallinn', 'Accra', 'Osaka', 'Halifax'])[1 + (i * 3) % 5] as city
) as person;

insert into shop.purchase (customer_id, placed_at, status)
select 1 + (i * 17) % 60, timestamptz '2026-01-01 09:00Z' + i * interval '6 hours 37 minutes',
  (array['paid', 'shipped', 'delivered', 'delivered', 'delivered', 'returned'])[1 + (i * 11) % 6]
from generate_series(1, 1200) as i;

insert into shop.purchase_line (purchase_id, book_id, quantity, unit_price)
select p.id, b.id, 1 + (p.id + b.id) % 3, b.price
from shop.purchase as p
join shop.book as b on (p.id * 5 + b.id * 3) % 7 = 0;

create view shop.monthly_sales as
select to_char(date_trunc('month', p.placed_at at time zone 'UTC'), 'YYYY-MM') as month,
  count(distinct p.id) as purchases, sum(l.quantity * l.unit_price) as revenue
from shop.purchase as p
join shop.purchase_line as l on l.purchase_id = p.id
where p.status <> 'returned'
group by 1
order by 1;
