import { expect, it } from 'vitest'
import { parseFilter, parsePath } from './parse-filter.ts'

const comparison = (attribute: string, operator: string, value: unknown) => ({ attribute, operator, value })

it.each([
  ['userName eq "bjensen"', comparison('username', 'eq', 'bjensen')],
  ['userName Eq "John"', comparison('username', 'eq', 'John')],
  ['name.familyName co "O\'Malley"', comparison('name.familyname', 'co', "O'Malley")],
  ['urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"', comparison('username', 'sw', 'J')],
  ['title pr', comparison('title', 'pr', null)],
  ['meta.created gt "2011-05-13T04:42:34Z"', comparison('meta.created', 'gt', '2011-05-13T04:42:34Z')],
  ['active eq true', comparison('active', 'eq', true)],
  ['externalId eq "a\\"b\\\\c"', comparison('externalid', 'eq', 'a"b\\c')],
  ['userName eq "a) or (b"', comparison('username', 'eq', 'a) or (b')],
])('reads %s', (text, expected) => {
  expect(parseFilter(text)).toEqual(expected)
})

it('binds `and` stronger than `or`, and puts the filter in brackets on its attribute', () => {
  const [a, b, c] = [comparison('a', 'eq', 1), comparison('b', 'eq', 2), comparison('c', 'pr', null)]
  expect(parseFilter('a eq 1 and b eq 2 or c pr')).toEqual({ or: [{ and: [a, b] }, c] })
  expect(parseFilter('a eq 1 AND (b eq 2 OR c pr)')).toEqual({ and: [a, { or: [b, c] }] })
  expect(parseFilter('not (a eq 1)')).toEqual({ not: a })
  const type = comparison('emails.type', 'eq', 'work')
  const value = comparison('emails.value', 'co', '@x.test')
  expect(parseFilter('emails[type eq "work" and value co "@x.test"]')).toEqual({ and: [type, value] })
})

it('reads the paths that PATCH names', () => {
  expect(parsePath('members')).toEqual({ attribute: 'members' })
  expect(parsePath('urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department')).toEqual({
    attribute: 'department',
  })
  expect(parsePath('emails[type eq "work"].value')).toEqual({
    attribute: 'emails',
    filter: comparison('type', 'eq', 'work'),
    sub: 'value',
  })
  expect(parsePath('members[value eq "7"]')).toEqual({ attribute: 'members', filter: comparison('value', 'eq', '7') })
})

it.each([
  '',
  'userName',
  'userName eq',
  'userName eq bare',
  'userName is "x"',
  'userName eq "x" and',
  'userName eq "x" userName eq "y"',
  '(userName eq "x"',
  'userName eq "x")',
  'not userName eq "x"',
  'emails[type eq "work"',
  'a[b[c eq 1]]',
  'userName eq "unfinished',
  'userName eq "\\x"',
  '; drop table principal',
  `${'('.repeat(21)}a pr${')'.repeat(21)}`,
  Array.from({ length: 201 }, () => 'a pr').join(' or '),
  'a'.repeat(8193),
])('refuses %.60s', (text) => {
  expect(() => parseFilter(text)).toThrow(expect.objectContaining({ detail: { scimType: 'invalidFilter' } }))
})
