import { z } from 'zod'

/** A field that is taken and never given back: what holds it drops it before it is shown. */
export function writeOnly<Schema extends z.ZodType>(schema: Schema): Schema {
  return schema.meta({ ...z.globalRegistry.get(schema), writeOnly: true })
}

/** Whether the schema, or what it is wrapped around, is marked by {@link writeOnly}. */
export function isWriteOnly(schema: z.core.$ZodType): boolean {
  if (z.globalRegistry.get(schema)?.['writeOnly'] === true) return true
  const inner = innerOf(schema)
  return inner !== undefined && isWriteOnly(inner)
}

/**
 * The value without the fields that its schema marks as write-only, in objects, unions and records at any depth. A union is followed
 * by the member whose literals the value has.
 */
export function withoutWriteOnly(schema: z.core.$ZodType, value: unknown): unknown {
  const inner = innerOf(schema)
  if (inner !== undefined) return withoutWriteOnly(inner, value)
  if (typeof value !== 'object' || value === null) return value
  if (schema instanceof z.ZodDiscriminatedUnion || schema instanceof z.ZodUnion) {
    const member = schema.options.find((option) => (option as z.ZodType).safeParse(value).success)
    // A value that fits nowhere has no field that is known to be harmless.
    return member === undefined ? {} : withoutWriteOnly(member, value)
  }
  if (schema instanceof z.ZodObject) {
    const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape
    const kept = Object.entries(value).filter(([name]) => shape[name] !== undefined && !isWriteOnly(shape[name]))
    return Object.fromEntries(kept.map(([name, field]) => [name, withoutWriteOnly(shape[name]!, field)]))
  }
  return value
}

function innerOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const isWrapper = schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault
  return isWrapper ? schema.unwrap() : undefined
}
