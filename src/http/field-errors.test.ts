import { expect, it } from 'vitest'
import { z } from 'zod'
import { compileValidator, InvalidFields } from './field-errors.ts'

const Shape = z.strictObject({
  name: z.string().min(1).max(5),
  count: z.number().int().min(2).max(10),
  kind: z.enum(['cat', 'dog']),
  always: z.literal('yes'),
  list: z.array(z.string()).min(1).max(2),
  at: z.iso.datetime(),
  id: z.uuid(),
  flag: z.boolean(),
  code: z.string().regex(/^a$/),
  own: z.string().regex(/^a$/, 'must be the letter a'),
  who: z.union([z.strictObject({ user: z.string() }), z.strictObject({ group: z.string() })]),
  pet: z.discriminatedUnion('kind', [z.object({ kind: z.literal('cat') }), z.object({ kind: z.literal('dog') })]),
})

function refusals(data: unknown): readonly string[] {
  const validate = compileValidator({ schema: Shape, method: 'POST', url: '/' })
  const { error } = validate(data) as { error?: unknown }
  return error instanceof InvalidFields ? error.fields : []
}

it('says of every field what it must be, in words of our own', () => {
  const wrong = {
    name: '',
    count: 1.5,
    kind: 'cow',
    always: 'no',
    list: [],
    at: 'noon',
    id: '1',
    flag: 'on',
    code: 'b',
    own: 'b',
    who: { user: 1 },
    pet: { kind: 'cow' },
    more: 1,
  }
  expect(refusals(wrong)).toEqual([
    'name: must not be empty',
    'count: must be a whole number',
    'kind: must be one of cat, dog',
    'always: must be yes',
    'list: must not be empty',
    'at: must be a date and time such as 2026-01-31T12:00:00Z',
    'id: must be a UUID',
    'flag: must be true or false',
    'code: does not have the form that it must have',
    'own: must be the letter a',
    'who: user: must be text',
    'pet.kind: must be one of cat, dog',
    'there is no "more" here',
  ])
})

it('tells what is missing from what is wrong, and what is too much', () => {
  expect(refusals({})).toEqual(Object.keys(Shape.shape).map((name) => `${name}: is required`))
  const large = { name: 'abcdef', count: 11, list: ['a', 'b', 'c'] }
  expect(refusals(large).slice(0, 2)).toEqual(['name: must have at most 5 characters', 'count: must be at most 10'])
  expect(refusals(large)).toContain('list: must have at most 2 items')
  expect(refusals('text')).toEqual(['it must be an object'])
})

it.each([
  [{ name: 'a\0b' }, 'name: must not contain a zero byte'],
  [{ deep: [{ 'k\0': 'x' }] }, 'deep.0: must not contain a zero byte'],
  [{ deep: [{ k: '\ud800' }] }, 'deep.0.k: must not contain half a character'],
])('refuses text that nothing behind it could hold, wherever it stands: %j', (data, refusal) => {
  const schema = z.object({ name: z.string().optional(), deep: z.array(z.record(z.string(), z.string())).optional() })
  const { error } = compileValidator({ schema, method: 'POST', url: '/' })(data) as { error?: unknown }
  expect(error instanceof InvalidFields && error.fields).toEqual([refusal])
})
