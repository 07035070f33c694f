import type { TObject, TSchema } from '@sinclair/typebox'
import type { Decode } from './drift.ts'
import { contentOf, type Kind, kindOf, marked, recordOf, resolved } from './marks.ts'
import { toSnake, wireNameOf } from './names.ts'
import {
  decimal,
  type InputField,
  idOrNameParams,
  idsOrNamesParams,
  itemsOf,
  noInstant,
  oneParam,
  type ParamEncoder,
  type ParamKind,
  toJsonText
} from './params.ts'
import { decodeJsonText, decodeList, decodeObject, decodeRecord, encodeObject } from './response.ts'
import { decodeBoolean, decodeDate, decodeNumber, decodeText, decodeTimestamp, decodeUnixTime } from './scalars.ts'
import { fromUpstreamTime, isDay, isUpstreamTime, toUnixSeconds, toUpstreamTime } from './times.ts'
import { passOn } from './undeclared.ts'

/** A REST value -> the upstream's JSON. Throws Unencodable. */
export type Encode = (value: unknown) => unknown

/**
 * A kind of value, in all the ways in which it is written and read. The service encodes parameters and decodes responses, the sandbox does the reverse;
 * JSON parameters are encoded as responses are. A kind without one of the functions cannot stand there. `where` is the value's name in errors and drift.
 */
export interface Codec {
  /** A field of a form. */
  encodeParam?(field: InputField): ParamEncoder
  /** A parameter's text; undefined when the text is not of the kind. */
  decodeParam?(text: string): unknown
  decodeResponse?(schema: TSchema, where: string): Decode
  encodeResponse?(schema: TSchema, where: string): Encode
}

const sameValue = (): Encode => value => value

const number: Codec = {
  encodeParam: oneParam('number', value => decimal(Number(value))),
  decodeParam: text => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined),
  decodeResponse: ({ type }, where) => decodeNumber(type === 'integer', where),
  encodeResponse: sameValue
}

const text: Codec = {
  encodeParam: oneParam('text', String),
  decodeParam: text => text,
  decodeResponse: (_, where) => decodeText(where),
  encodeResponse: sameValue
}

const boolean: Codec = {
  encodeParam: oneParam('boolean', value => (value ? 'true' : 'false')),
  // Python writes them with a capital.
  decodeParam: text => (/^(?:true|1)$/i.test(text) ? true : /^(?:false|0)$/i.test(text) ? false : undefined),
  decodeResponse: (_, where) => decodeBoolean(where),
  encodeResponse: sameValue
}

const list: Codec = {
  encodeParam({ name }) {
    throw new Error(`${name}: the upstream's lists hold numbers or text: they are declared with list() or idList()`)
  },
  decodeResponse: ({ items }, where) => decodeList(compileDecoder(items, where)),
  encodeResponse({ items }, where) {
    const encodeItem = compileEncoder(items, where)
    return value => itemsOf(value).map(encodeItem)
  }
}

/** The fields of an object, with the upstream's names of them. */
const namesOf = (schema: TObject) =>
  Object.entries(schema.properties).map(([name, field]) => ({ name, wire: wireNameOf(name, field), schema: field }))

export const codecs: Readonly<Record<Kind, Codec>> = {
  number,
  text,
  boolean,
  words: {
    ...boolean,
    encodeParam: field => {
      const [no, yes] = marked(field.schema, 'words') ?? ['false', 'true']
      return oneParam('text', value => (value ? yes : no))(field)
    }
  },
  timestamp: {
    encodeParam: oneParam('timestamp', (value, field) => toUpstreamTime(String(value)) ?? noInstant(field)),
    decodeParam: fromUpstreamTime,
    decodeResponse: (_, where) => decodeTimestamp(where),
    encodeResponse: (_, where) => value => toUpstreamTime(String(value)) ?? noInstant(where)
  },
  unix: {
    encodeParam: oneParam('number', (value, field) => String(toUnixSeconds(String(value)) ?? noInstant(field))),
    decodeResponse: (_, where) => decodeUnixTime(where),
    encodeResponse: (_, where) => value => toUnixSeconds(String(value)) ?? noInstant(where)
  },
  date: {
    encodeParam: oneParam('date', String),
    // The official client sends a day with a time.
    decodeParam: text => (isDay(text) || isUpstreamTime(text) ? text.slice(0, 10) : undefined),
    decodeResponse: (_, where) => decodeDate(where),
    encodeResponse: sameValue
  },
  list,
  'id-list': {
    ...list,
    encodeParam: oneParam('id-list', value =>
      itemsOf(value)
        .map(item => decimal(Number(item)))
        .join(';')
    ),
    decodeParam(text) {
      if (text === 'all' || text === 'any') return 'all'
      const ids = text.split(';')
      return ids.every(id => /^\d+$/.test(id)) ? ids.map(Number) : undefined
    }
  },
  'text-list': {
    ...list,
    encodeParam: oneParam('text-list', value => itemsOf(value).join(';')),
    decodeParam: text => text.split(';')
  },
  reference: { encodeParam: idOrNameParams },
  references: { encodeParam: idsOrNamesParams },
  // A file travels as a part of its own, not in the form.
  file: { encodeParam: ({ wire }) => ({ params: [{ wire, kind: 'file' }], write: () => '' }), decodeParam: text => text },
  'json-text': {
    encodeParam(field) {
      const encode = compileEncoder(contentOf(field.schema), field.name)
      return oneParam('json-text', (value, name) => toJsonText(name, encode(value)))(field)
    },
    decodeParam(text) {
      try {
        return JSON.parse(text)
      } catch {
        return undefined
      }
    },
    decodeResponse: (schema, where) => decodeJsonText(compileDecoder(contentOf(schema), where), where),
    encodeResponse(schema, where) {
      const encode = compileEncoder(contentOf(schema), where)
      return value => JSON.stringify(encode(value))
    }
  },
  record: {
    decodeResponse(schema, where) {
      const { values, keys } = recordOf(schema)
      return decodeRecord(compileDecoder(values, where), keys, where)
    },
    encodeResponse(schema, where) {
      const encode = compileEncoder(recordOf(schema).values, where)
      return value => Object.fromEntries(Object.entries(Object(value)).map(([key, field]) => [key, encode(field)]))
    }
  },
  object: {
    decodeResponse(schema: TObject, where) {
      const place = schema.$id ?? where
      const fields = namesOf(schema).map(field => ({ ...field, decode: compileDecoder(field.schema, `${place}.${field.name}`) }))
      return decodeObject(schema, fields, place)
    },
    encodeResponse(schema: TObject, where) {
      const fields = namesOf(schema).map(field => ({ ...field, encode: compileEncoder(field.schema, `${where}.${field.name}`) }))
      const hidden = (marked(schema, 'hidden') ?? []).map(name => ({ name, wire: toSnake(name), encode: sameValue() }))
      return encodeObject([...fields, ...hidden])
    }
  },
  any: {
    decodeResponse(schema, where) {
      // Keys are data unless the declaration says otherwise: they keep their spelling.
      const renames = marked(schema, 'passedOn') === true
      return (raw, drift) => (raw === null ? undefined : passOn(raw, where, drift, 0, renames))
    },
    encodeResponse: sameValue
  }
}

/**
 * Compiles the decoder of a value in a response. The decoder throws `inexact` on numbers beyond 2^53: call it through `decodeExactly`. Throws on kinds
 * that no response holds.
 */
export function compileDecoder(schema: TSchema, where = 'response'): Decode {
  const kind = kindOf(schema, where)
  const compile = codecs[kind].decodeResponse
  if (!compile) throw new Error(`${where}: a response holds no ${kind}`)
  return compile(resolved(schema), where)
}

/** Compiles the reverse of `compileDecoder`: a REST value -> the upstream's JSON. Throws on kinds that no JSON holds. */
export function compileEncoder(schema: TSchema, where = 'response'): Encode {
  const kind = kindOf(schema, where)
  const compile = codecs[kind].encodeResponse
  if (!compile) throw new Error(`${where}: JSON holds no ${kind}`)
  return compile(resolved(schema), where)
}

/** Reads a parameter as a peer of the service does (the sandbox); undefined when the text is not of the kind. */
export const decodeParam = (kind: ParamKind, text: string): unknown => codecs[kind].decodeParam?.(text)
