# Objects, dictionaries, lists, floating point, big integers and strings.
class Body:
    __slots__ = ("x", "v", "mass")

    def __init__(self, x, v, mass):
        self.x, self.v, self.mass = x, v, mass

    def pull(self, other, dt):
        distance = other.x - self.x
        force = self.mass * other.mass / (distance * distance + 0.01)
        self.v += (force if distance > 0 else -force) / self.mass * dt
        self.x += self.v * dt


bodies = [Body(float(i), 0.1 * i, 1.0 + i) for i in range(8)]
for step in range(5000):
    for one in bodies:
        for other in bodies:
            if one is not other:
                one.pull(other, 0.0001)
print("".join("%.12f " % body.x for body in bodies))

counts = {}
x = 1
for _ in range(500000):
    x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    key = "k%d" % (x >> 16 & 1023)
    counts[key] = counts.get(key, 0) + 1
print(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20])


def queens(n, row, columns, left, right):
    if row == n:
        return 1
    free = [c for c in range(n) if not (columns >> c & 1 or left >> (row + c) & 1 or right >> (row - c + n) & 1)]
    return sum(queens(n, row + 1, columns | 1 << c, left | 1 << (row + c), right | 1 << (row - c + n)) for c in free)


print(queens(8, 0, 0, 0, 0))
print(str(3 ** 8000)[-40:])
