"""What networks written in PyTorch come to with numbers of shared.py: python with-torch.py writes torch.json.

ResNet has the parts, names and padding of torchvision's (bottlenecks with the stride in their middle); the other networks follow their papers.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
from shared import descend, filled, images, numbers, outcome, written


def ready(model):
    shapes = {n: list(t.shape) for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    tensors, told = filled(shapes)
    model.load_state_dict(tensors, strict=False)
    return model, told


def run(model, x, told):
    logits = model(x)
    descend(logits)
    gradients = {n: p.grad for n, p in model.named_parameters()}
    return outcome(told, logits, gradients, x if x.requires_grad else None)


class Basic(nn.Module):
    expansion = 1

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    def __init__(self, block, counts, filters, stem, classes=4, channels=3):
        super().__init__()
        self.stem = stem
        self.conv1 = nn.Conv2d(channels, filters, 7, 2, 3, bias=False) if stem == "large" else nn.Conv2d(channels, filters, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        inputs = filters
        for stage, count in enumerate(counts):
            width, blocks = filters * 2**stage, []
            for i in range(count):
                blocks.append(block(inputs, width, 2 if stage > 0 and i == 0 else 1))
                inputs = width * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.stages = len(counts)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.stem == "large":
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def resnet(block, counts, filters, stem, size, training):
    model, told = ready(ResNet(block, counts, filters, stem))
    return run(model.train(training), images(4, size, size, 3), told)


class Attention(nn.Module):
    def __init__(self, width, heads, bias):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width, bias=bias) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = (f(x).view(n, t, self.heads, d // self.heads).transpose(1, 2) for f in (self.query, self.key, self.value))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d))


class Encoder(nn.Module):
    def __init__(self, width, heads, widen, bias):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads, bias)
        self.norm2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, widen * width), nn.Linear(widen * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Cct(nn.Module):
    """Hassani et al. 2021: convolutions with rectifier and pooling as tokens, an encoder, and sequence pooling (equations 2 to 4)."""

    def __init__(self, width=8, depth=2, heads=2, widen=1, size=8, convolutions=2, channels=3, classes=4):
        super().__init__()
        counts = [channels] + [6] * (convolutions - 1) + [width]
        self.tokenizer = nn.ModuleList(nn.Conv2d(a, b, 3, 1, 1, bias=False) for a, b in zip(counts, counts[1:]))
        side = size // 2**convolutions
        self.positions = nn.Parameter(torch.zeros(side * side, width))
        self.blocks = nn.ModuleList(Encoder(width, heads, widen, False) for _ in range(depth))
        self.norm, self.pool, self.fc = nn.LayerNorm(width), nn.Linear(width, 1), nn.Linear(width, classes)

    def forward(self, x):
        for conv in self.tokenizer:
            x = F.max_pool2d(F.relu(conv(x)), 3, 2, 1)
        x = x.flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.fc((F.softmax(self.pool(x), 1).transpose(1, 2) @ x).squeeze(1))


class Mixing(nn.Module):
    def __init__(self, places, width, of_places, of_channels):
        super().__init__()
        self.norm1, self.places_up, self.places_down = nn.LayerNorm(width), nn.Linear(places, of_places), nn.Linear(of_places, places)
        self.norm2, self.channels_up, self.channels_down = nn.LayerNorm(width), nn.Linear(width, of_channels), nn.Linear(of_channels, width)

    def forward(self, x):
        x = x + self.places_down(F.gelu(self.places_up(self.norm1(x).transpose(1, 2)))).transpose(1, 2)
        return x + self.channels_down(F.gelu(self.channels_up(self.norm2(x))))


class Mixer(nn.Module):
    """Tolstikhin et al. 2021, equation 1."""

    def __init__(self, patch=2, width=8, depth=2, of_places=5, of_channels=12, size=8, channels=3, classes=4):
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, patch)
        self.blocks = nn.ModuleList(Mixing((size // patch) ** 2, width, of_places, of_channels) for _ in range(depth))
        self.norm, self.fc = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.fc(self.norm(x).mean(1))


class Unet(nn.Module):
    """Ronneberger et al. 2015, figure 1, with borders filled by zeros; a class at each pixel."""

    def __init__(self, filters=(3, 4, 6), channels=2, classes=3):
        super().__init__()
        twice = lambda a, b: nn.ModuleList([nn.Conv2d(a, b, 3, 1, 1), nn.Conv2d(b, b, 3, 1, 1)])
        self.down = nn.ModuleList(twice(a, b) for a, b in zip((channels, *filters), filters))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 2) for a, b in zip(filters, filters[1:]))
        self.join = nn.ModuleList(twice(2 * a, a) for a in filters[:-1])
        self.fc = nn.Linear(filters[0], classes)

    def forward(self, x):
        both = lambda convs, x: F.relu(convs[1](F.relu(convs[0](x))))
        kept = []
        for i, convs in enumerate(self.down):
            x = both(convs, x if i == 0 else F.max_pool2d(x, 2))
            kept.append(x)
        for i in reversed(range(len(self.up))):
            x = self.up[i](F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (0, 1, 0, 1)))
            x = both(self.join[i], torch.cat([x, kept[i]], 1))
        return self.fc(x.permute(0, 2, 3, 1))


class Recurrent(nn.Module):
    def __init__(self, kind, layers, bidirectional):
        super().__init__()
        self.rnn = kind(3, 4, layers, batch_first=True, bidirectional=bidirectional)
        self.fc = nn.Linear(8 if bidirectional else 4, 3)

    def forward(self, x):
        return self.fc(self.rnn(x)[0])


def recurrent(kind, length, layers=1, bidirectional=False):
    model, told = ready(Recurrent(kind, layers, bidirectional))
    found = run(model, numbers(1000, [2, length, 3], 0.0, 2.0).requires_grad_(), told)
    found["logits"] = found["logits"][:3] + found["logits"][-3:]  # of the first place and of the last
    return found


written(
    "torch.json",
    {
        "resnet18": resnet(Basic, [2, 2, 2, 2], 3, "small", 16, False),
        "resnet18Training": resnet(Basic, [2, 2, 2, 2], 3, "small", 16, True),
        "resnet50": resnet(Bottleneck, [3, 4, 6, 3], 2, "large", 32, False),
        "resnet20": resnet(Basic, [3, 3, 3], 4, "small", 8, False),
        "cct": run(*(lambda model, told: (model, images(3, 8, 8, 3), told))(*ready(Cct()))),
        "mixer": run(*(lambda model, told: (model, images(3, 8, 8, 3), told))(*ready(Mixer()))),
        "unet": run(*(lambda model, told: (model, images(2, 8, 8, 2), told))(*ready(Unet()))),
        "lstm": recurrent(nn.LSTM, 9, 2, True),
        "lstmLong": recurrent(nn.LSTM, 150),
        "gru": recurrent(nn.GRU, 9),
        "gruLong": recurrent(nn.GRU, 150),
    },
)
