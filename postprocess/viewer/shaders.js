// GLSL. Lights and camera are the studio's.

export const LIGHT_VERTEX = `#version 300 es
layout(location = 0) in vec3 position;
uniform mat4 toLight;
void main() { gl_Position = toLight * vec4(position, 1.0); }`;

export const LIGHT_FRAGMENT = `#version 300 es
void main() {}`;

export const VERTEX = `#version 300 es
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec3 colour;
layout(location = 3) in float roughness;
uniform mat4 view, projection, toLight;
centroid out vec3 seen, facing, paint, shaded;
centroid out float rough;
vec3 linear(vec3 code) { return mix(code / 12.92, pow((code + 0.055) / 1.055, vec3(2.4)), step(0.04045, code)); }
void main() {
  vec4 place = view * vec4(position, 1.0);
  gl_Position = projection * place;
  seen = place.xyz;
  facing = mat3(view) * normal;
  paint = linear(colour);
  rough = roughness;
  shaded = (toLight * vec4(position + normal * 0.0012, 1.0)).xyz * 0.5 + 0.5;
}`;

export const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2DShadow;
centroid in vec3 seen, facing, paint, shaded;
centroid in float rough;
uniform sampler2DShadow shade;
uniform vec3 key, keyDirection, fill, fillDirection, rim, rimDirection, above, below;
uniform float texel;
out vec4 drawn;

// Twenty places on a disc, by the golden angle; each is itself a filtered comparison of four texels.
float lightReaching() {
  if (any(greaterThan(abs(shaded - 0.5), vec3(0.5)))) return 1.0; // of a body, what lies outside the map
  float turn = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) * 6.2832;
  float sum = 0.0;
  for (int i = 0; i < 20; i++) {
    float angle = float(i) * 2.39996 + turn;
    vec2 aside = vec2(cos(angle), sin(angle)) * sqrt((float(i) + 0.5) / 20.0) * texel * 13.0;
    sum += texture(shade, vec3(shaded.xy + aside, shaded.z - 0.004));
  }
  return sum / 20.0;
}

// Whether something is nearer to the light there, but by no more than lips are before a mouth's inside.
float screened(vec2 aside) {
  return (1.0 - texture(shade, vec3(shaded.xy + aside, shaded.z - 0.008)))
    * texture(shade, vec3(shaded.xy + aside, shaded.z - 0.075));
}

// How far a place is shut in, as teeth are behind lips: the share of six lines across it that are screened on both
// sides, so that a slope shuts nothing in. Lengths are shares of what the map spans.
float shutIn() {
  if (any(greaterThan(abs(shaded - 0.5), vec3(0.46)))) return 0.0;
  float turn = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))) * 3.1416;
  float sum = 0.0;
  for (int i = 0; i < 6; i++) {
    float angle = float(i) * 0.5236 + turn;
    vec2 aside = vec2(cos(angle), sin(angle)) * 0.026 * sqrt((float(i * 5 % 6) + 0.5) / 6.0);
    sum += screened(aside) * screened(-aside);
  }
  return sum / 6.0;
}

// Cook and Torrance's highlight with the distribution of Trowbridge and Reitz (GGX).
float highlight(vec3 n, vec3 v, vec3 l, float roughness) {
  vec3 h = normalize(v + l);
  float a = max(roughness * roughness, 0.04), nh = max(dot(n, h), 0.0), nl = max(dot(n, l), 0.0);
  float nv = max(dot(n, v), 0.25), k = (roughness + 1.0) * (roughness + 1.0) / 8.0;
  float d = nh * nh * (a * a - 1.0) + 1.0;
  float fresnel = 0.035 + 0.965 * pow(1.0 - clamp(dot(h, v), 0.0, 1.0), 5.0);
  return fresnel * a * a / (3.1416 * d * d) * nl / (4.0 * (nl * (1.0 - k) + k) * (nv * (1.0 - k) + k));
}

// Light that went into skin comes out a little past the edge of the shade, red the farthest.
vec3 wrapped(float cosine) {
  vec3 reach = vec3(0.38, 0.22, 0.17);
  return pow(max((vec3(cosine) + reach) / (1.0 + reach), 0.0), vec3(1.25));
}

void main() {
  vec3 n = normalize(facing), v = normalize(-seen);
  // Edge-on from behind, depth is too coarse: what lies behind skin, as a mouth's inside does, would show as specks.
  if (!gl_FrontFacing && dot(n, v) > -0.25) discard;
  if (!gl_FrontFacing) n = -n;
  float reaching = lightReaching(), open = 1.0 - 0.85 * shutIn();
  vec3 soft = mix(vec3(1.0), pow(vec3(reaching), vec3(0.75, 1.0, 1.1)), 0.85);
  vec3 ambient = mix(below, above, n.y * 0.5 + 0.5);
  ambient *= mix(0.72, 1.0, reaching);
  vec3 diffuse = key * wrapped(dot(n, keyDirection)) * soft + fill * wrapped(dot(n, fillDirection)) + ambient;
  diffuse *= mix(vec3(0.8, 0.55, 0.5) * open, vec3(1.0), open); // what comes in there has been on lips and gums before
  float edge = pow(1.0 - clamp(dot(n, v), 0.0, 1.0), 3.0);
  vec3 shine = key * highlight(n, v, keyDirection, rough) * reaching * 3.1416
    + fill * highlight(n, v, fillDirection, rough) * 3.1416
    + rim * max(dot(n, rimDirection), 0.0) * edge * 0.4;
  shine *= open;
  vec3 light = paint * diffuse * 0.62 + shine * 0.5;
  light = light * (1.0 + light / 6.0) / (1.0 + light * 0.55); // what is bright bends towards white, not past it
  vec3 code = mix(light * 12.92, 1.055 * pow(max(light, 0.0), vec3(1.0 / 2.4)) - 0.055, step(0.0031308, light));
  drawn = vec4(min(code, 1.0), 1.0);
}`;
