"""Squeeze and rebuild. 12 minutes. After: 9."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="16. Squeeze and rebuild")


@app.cell
def setup():
    import fastnn
    import marimo as mo
    import numpy as np
    from fastnn.learn import lesson

    return fastnn, lesson, mo, np


@app.cell
def title(mo):
    mo.md("""
    # 16. Squeeze and rebuild

    Describe a handwritten digit over the telephone in four numbers, so that somebody else can draw
    it. An **autoencoder** learns to: its *encoder* squeezes a picture into a short **code**, and
    its *decoder* rebuilds the picture. There are no labels: the picture is its own target.

    12 minutes. You need to know what a hidden layer does (lesson 9).
    """)
    return


@app.cell
def data(mo, np):
    from sklearn.datasets import load_digits

    x, digit = load_digits().data / 16, load_digits().target
    held = np.arange(len(x)) % 4 == 0
    x_train, x_test = x[~held], x[held]
    mo.md(f"""
    The data are {len(x)} pictures of 8 by 8 pixels, each from 0 (paper) to 1 (ink). Every fourth
    is held back, to test with. The loss is the mean over pictures and pixels of

    ```
    (picture - decoder(encoder(picture)))²
    ```
    """)
    return digit, held, x, x_test, x_train


@app.cell
def question(mo):
    both_same = "Neither: both end at the same error."
    _label = """**Predict first.** A code of four numbers, and layers that are *linear*: no
    activation at all. PCA describes a picture by four numbers too: how far it lies along the four
    directions in which pictures vary most. That is computed, not trained. Which rebuilds better?"""
    _options = [
        "The autoencoder: it is trained to rebuild, PCA looks at variances only.",
        "PCA: training stops before it has found the best.",
        both_same,
    ]
    prediction = mo.ui.radio(_options, label=_label)
    prediction
    return both_same, prediction


@app.cell
def sliders(lesson, mo, prediction):
    lesson.predict_first(mo, prediction)
    kind = mo.ui.dropdown(["linear", "deep", "denoising"], value="linear", label="kind")
    size = mo.ui.slider(steps=[1, 2, 4, 8, 16, 64], value=4, label="code size", show_value=True)
    noise = mo.ui.slider(0.0, 0.6, 0.1, value=0.0, label="noise on the input", show_value=True)
    _text = mo.md("""
    ## Squeeze

    Pictures that training has not seen, their codes, and what is rebuilt from the codes. Move the
    size of the code first. Then take the kind *deep*, with a hidden layer of 64 that bends on both
    sides. Then add noise, make the code long, and compare with *denoising*: trained on noisy
    pictures, with the clean ones as targets.
    """)
    mo.vstack([_text, mo.hstack([size, noise, kind], justify="start", gap=2, wrap=True)])
    return kind, noise, size


@app.cell
def training(fastnn, np, x_train):
    def coder_of(code, noise=0.0, hidden=(64,), bend="relu", rows=x_train, **settings):
        """Return a trained autoencoder; without hidden layers it is linear."""
        bends = [*[bend] * len(hidden), "identity"]
        coder = fastnn.Autoencoder((*hidden, code), activation=bends, learning_rate="cosine")
        coder.set_params(max_iter=60, batch_size=32, learning_rate_init=3e-3, random_state=0)
        if hidden:
            coder.set_params(output_activation="sigmoid")
        else:
            coder.set_params(max_iter=200, batch_size=128, learning_rate_init=3e-2)
        if noise:
            coder.set_params(noise="gaussian", noise_level=noise)
        return coder.set_params(n_iter_no_change=2000, n_jobs=1, **settings).fit(rows)

    def error(found, wanted):
        return float(np.mean((found - wanted) ** 2))

    return coder_of, error


@app.cell
def drawing(digit, error, held, lesson, np, x_test):
    _ten = [np.flatnonzero(digit[held] == d)[3] for d in range(10)]

    def strip(encode, decode, alt, noise=0.0, beside=""):
        """Draw pictures, their codes and what is rebuilt, for one example of each digit."""
        given = x_test + noise * np.random.default_rng(0).normal(size=x_test.shape)
        codes = encode(given)
        rebuilt = decode(codes)
        most = np.abs(codes).max(axis=0).clip(1)
        title = f"error on all pictures held back: {error(rebuilt, x_test):.4f}{beside}"

        def draw(axes):
            for place, row in enumerate(_ten):
                tile = (codes[row] / most).reshape(-1, min(8, codes.shape[1]))
                pictures = given[row].reshape(8, 8), tile, rebuilt[row].reshape(8, 8)
                for low, height, picture in zip((15, 9, 0), (8, 5, 8), pictures, strict=True):
                    look = {"cmap": "Greys", "vmin": 0} if height == 8 else {"cmap": "PuOr_r"}
                    box = 9 * place, 9 * place + 8, low, low + height
                    axes.imshow(picture, extent=box, **{"vmin": -1, "vmax": 1, **look})
            for low, word in zip((19, 11.5, 4), ("in", "code", "out"), strict=True):
                axes.text(-1, low, word, ha="right", va="center")
            axes.set(xlim=(-6, 90), ylim=(-0.5, 23.5), aspect="auto", title=title)
            axes.axis("off")

        return lesson.figure(draw, alt=f"{alt} The {title}.", size=(9, 2.8))

    return (strip,)


@app.cell
def picture_squeeze(coder_of, error, kind, noise, np, size, strip, x_test, x_train):
    _hidden = () if kind.value == "linear" else (64,)
    _coder = coder_of(size.value, noise.value if kind.value == "denoising" else 0.0, _hidden)
    _middle = x_train.mean(axis=0)
    _along = np.linalg.svd(x_train - _middle, full_matrices=False)[2][: size.value]
    _pca = error((x_test - _middle) @ _along.T @ _along + _middle, x_test)
    _beside = f"; {noise.value**2:.4f} if left as they are" if noise.value else f"; PCA {_pca:.4f}"
    strip(
        _coder.transform,
        _coder.inverse_transform,
        alt="Ten digits; below each its code as coloured cells, and below that the digit rebuilt.",
        noise=noise.value,
        beside=_beside,
    )
    return


@app.cell
def answer(both_same, lesson, mo, prediction):
    _why = """A linear decoder draws pictures of a *plane* alone, here one of four dimensions. The
    plane with the smallest squared error is the one that PCA computes, and training finds it too.
    What bends does better, as digits do not lie on a plane."""
    lesson.reveal(mo, prediction, both_same, _why)
    return


@app.cell
def library_title(mo):
    mo.md("""
    ## In the library, and in plain Python

    An autoencoder is a transformer, as PCA is in scikit-learn: `fit`, `transform` to the codes,
    `inverse_transform` back. The same in plain Python needs no training: the directions in which
    pictures vary most are the eigenvectors of their covariance.
    """)
    return


@app.cell
def library(fastnn, mo, x):
    coder = fastnn.Autoencoder(4, activation="identity", learning_rate="cosine")
    coder.set_params(max_iter=1000, n_iter_no_change=1000, learning_rate_init=0.08)
    coder.set_params(batch_size=len(x), n_jobs=1, random_state=0)
    codes = coder.fit_transform(x)
    mo.show_code(float(coder.reconstruction_error(x).mean()), position="above")
    return codes, coder


@app.cell
def plain_python(mo, np, x):
    middle = x.mean(axis=0)
    covariance = (x - middle).T @ (x - middle) / len(x)
    variances, directions = np.linalg.eigh(covariance)  # the largest come last
    basis = directions[:, :-5:-1].T  # four directions of 64 pixels each
    lengths = (x - middle) @ basis.T  # the code: how far along each direction
    rebuilt = middle + lengths @ basis
    mo.show_code(float(np.mean((x - rebuilt) ** 2)), position="above")
    return basis, lengths, rebuilt, variances


@app.cell
def the_same(basis, coder, codes, error, lengths, mo, np, rebuilt, x):
    _plane = np.linalg.qr(coder.coefs_[-1].T)[0]
    _cosines = np.linalg.svd(_plane.T @ basis.T, compute_uv=False)
    angle = float(np.arccos(min(1.0, _cosines.min())))
    ratio = float(coder.reconstruction_error(x).mean() / error(x, rebuilt))
    _mixed = np.abs(np.corrcoef(codes.T, lengths.T)[:4, 4:]).max(axis=1).min()
    mo.md(f"""
    The errors differ by a factor of {ratio:.6f}, and the largest angle between the planes is
    {angle:.0e}: it is the same plane. It is **not the same code**. The autoencoder may take any
    four directions that span the plane, slanted and stretched: one of its numbers correlates with
    none of PCA's by more than {_mixed:.2f}.
    """)
    return angle, ratio


@app.cell
def hindered(mo):
    mo.md("""
    ## Long codes, hindered

    A code of 64 numbers could copy 64 pixels. Copying is useless, so one makes it hard:

    - **Denoising**: `noise="gaussian"` disturbs what goes in, the clean picture is the target.
    - **Sparse**: most units shall be silent for most pictures. Punish a unit whose mean activation
      is far from a small number rho: by the KL divergence of two coins, one of which falls heads
      with probability rho, the other with that mean.
    - **Contractive**: the code shall hardly move when the picture does a little. Punish the squared
      Frobenius norm of its **Jacobian**: all derivatives of code by pixel, squared and added up.

    The library lacks the last two, but shows its gradients: a penalty adds those of its own.
    """)
    return


@app.cell
def penalties(fastnn, mo, np, x_train):
    def sparse(a, rows, w, rho=0.05):
        mean = a.mean(axis=0)
        kl = rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))
        to_z = ((1 - rho) / (1 - mean) - rho / mean) / len(a) * a * (1 - a)
        return kl.sum(), rows.T @ to_z, to_z.sum(axis=0)

    def contractive(a, rows, w):
        slopes, lengths = np.square(a * (1 - a)), np.square(w).sum(axis=0)
        to_z = 2 * slopes * (1 - 2 * a) * lengths / len(a)
        to_w = rows.T @ to_z + 2 * w * slopes.mean(axis=0)
        return np.mean(slopes @ lengths), to_w, to_z.sum(axis=0)

    def train_with(penalty, strength, units=64, steps=300, rate=0.02):
        layers = [fastnn.layers.Dense(units, "sigmoid"), fastnn.layers.Dense(64)]
        model = fastnn.Sequential(layers, input_shape=64, dtype="float64", seed=0)
        weights, random = model.compile(loss="mse").get_weights(), np.random.default_rng(0)
        means, squares = [0 * w for w in weights], [0 * w for w in weights]
        for step in range(1, steps + 1):
            rows = random.choice(x_train, 64)
            gradients = list(model.gradients(rows, rows)[1].values())
            a = 1 / (1 + np.exp(-rows @ weights[0] - weights[1]))
            for n, extra in enumerate(penalty(a, rows, weights[0])[1:]):
                gradients[n] = gradients[n] + strength * extra
            for n, gradient in enumerate(gradients):
                means[n] = 0.9 * means[n] + 0.1 * gradient
                squares[n] = 0.999 * squares[n] + 0.001 * np.square(gradient)
                size = np.sqrt(squares[n] / (1 - np.power(0.999, step))) + 1e-8
                move = means[n] / (1 - np.power(0.9, step)) / size
                weights[n] = weights[n] - rate * move
            model.set_weights(weights)
        return model

    mo.show_code()
    return contractive, sparse, train_with


@app.cell
def measured(coder_of, contractive, error, fastnn, np, sparse, train_with, x_test):
    _noisy = x_test + np.random.default_rng(1).normal(0, 0.3, x_test.shape)
    _deep, _denoiser = (coder_of(64, noise, batch_size=64) for noise in (0.0, 0.3))
    _models = train_with(contractive, 0.0), train_with(contractive, 0.01)

    def _encoded(model):
        w, b = model.get_weights()[:2]
        return 1 / (1 + np.exp(-x_test @ w - b)), w

    _free, _tight = (contractive(a, x_test, w)[0] for a, w in map(_encoded, _models))
    # derivatives by central differences: every pixel moved to both sides, for every picture
    _layers = [fastnn.layers.Dense(64, "sigmoid")]
    _encoder = fastnn.Sequential(_layers, input_shape=64, dtype="float64")
    _encoder.set_weights(_models[1].get_weights()[:2])
    _moves = 1e-4 * np.eye(64)
    _rates = [(_encoder.predict(x_test + h) - _encoder.predict(x_test - h)) / 2e-4 for h in _moves]
    _squares = np.square(_rates).sum(axis=(0, 2))
    found = {
        "noisy": error(_noisy, x_test),
        "deep": error(_deep.inverse_transform(_deep.transform(_noisy)), x_test),
        "denoised": error(_denoiser.inverse_transform(_denoiser.transform(_noisy)), x_test),
        "means": _encoded(train_with(sparse, 0.05))[0].mean(axis=0),
        "free": _free,
        "tight": _tight,
        "jacobian": _squares.mean(),
        "norm": np.sqrt(_squares).mean(),
        "errors": [error(model.predict(x_test), x_test) for model in _models],
    }
    return (found,)


@app.cell
def what_they_do(found, mo):
    _low, _high = found["means"].min(), found["means"].max()
    _text = mo.md(f"""
    With codes of 64 numbers, on pictures held back (move the strength below to see them):

    - **Denoising.** Noise of 0.3 is an error of {found["noisy"]:.3f} if left in. The kind *deep*
      leaves {found["deep"]:.3f}, the denoiser **{found["denoised"]:.3f}**.
    - **Sparse**, strength 0.05, rho 0.05: mean activations lie from {_low:.3f} to {_high:.3f}.
    - **Contractive**, strength 0.01: the squared norm falls from {found["free"]:.1f} to
      **{found["tight"]:.2f}**, and the error rises from {found["errors"][0]:.4f} to
      {found["errors"][1]:.4f}. Measured by central differences, pixel by pixel, the squared norm
      is {found["jacobian"]:.4f}, and by the formula {found["tight"]:.4f}.
    """)
    way = mo.ui.radio(["sparse", "contractive"], value="sparse", inline=True)
    strength = mo.ui.slider(steps=[0, 0.01, 0.05, 0.2], label="strength", show_value=True)
    mo.vstack([_text, mo.hstack([way, strength], justify="start", gap=2, wrap=True)])
    return strength, way


@app.cell
def picture_hindered(contractive, np, sparse, strength, strip, train_with, way):
    _penalty = {"sparse": sparse, "contractive": contractive}[way.value]
    _w, _b, _v, _c = train_with(_penalty, strength.value).get_weights()
    strip(
        lambda rows: 1 / (1 + np.exp(-rows @ _w - _b)),
        lambda codes: codes @ _v + _c,
        alt="Ten digits; below each the 64 numbers of its code, and below that the digit rebuilt.",
    )
    return


@app.cell
def walk(coder_of, mo):
    walker = coder_of(2, hidden=(128, 64), bend="elu", batch_size=64)
    _digits = [str(d) for d in range(10)]
    start = mo.ui.dropdown(_digits, value="0", label="from")
    goal = mo.ui.dropdown(_digits, value="1", label="to")
    gone = mo.ui.slider(0.0, 1.0, 0.05, value=0.5, label="way gone", show_value=True)
    _text = mo.md("""
    ## Walk

    Codes of two numbers make a map, and every point of it can be rebuilt. Walk from the middle of
    one digit to that of another: on the way you meet digits, where mixed pixels are ghosts.
    """)
    mo.vstack([_text, mo.hstack([start, goal, gone], justify="start", gap=2, wrap=True)])
    return goal, gone, start, walker


@app.cell
def picture_walk(digit, goal, gone, held, lesson, np, start, walker, x_train):
    _ends, _digits = [int(start.value), int(goal.value)], digit[~held]
    _codes, _t = walker.transform(x_train), gone.value
    _from, _to = (np.median(_codes[_digits == d], axis=0) for d in _ends)
    _here = (1 - _t) * _from + _t * _to
    _halves = [x_train[_digits == d].mean(axis=0) for d in _ends]
    _mixed = (1 - _t) * _halves[0] + _t * _halves[1]

    def _draw(chart, decoded, blended):
        for d in range(10):
            colour = lesson.BLUE if d == _ends[0] else lesson.ORANGE if d == _ends[1] else "0.75"
            points = _codes[_digits == d].T
            chart.scatter(*points, s=36, marker=f"${d}$", color=colour, linewidth=0.1)
        chart.plot(*np.transpose([_from, _to]), color="black")
        chart.plot(*_here, "o", color="black", markersize=9)
        low, high = np.percentile(_codes, [1, 99], axis=0) + 0.1 * np.ptp(_codes, 0) * [[-1], [1]]
        chart.set(xticks=[], yticks=[], xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        chart.set_title("the codes")
        for axes, picture in ((decoded, walker.inverse_transform([_here])), (blended, _mixed)):
            axes.imshow(np.reshape(picture, (8, 8)), cmap="Greys", vmin=0, vmax=1)
            axes.axis("off")
        decoded.set_title("rebuilt from the dot")
        blended.set_title("pixels mixed instead")

    lesson.figure(
        _draw,
        alt="Left: the map of codes with a way across it. Middle: the digit that the decoder draws "
        f"at a dot on the way. Right: pixels mixed. It leads from {_ends[0]} to {_ends[1]}.",
        columns=3,
        size=(10, 3.6),
    )
    return


@app.cell
def break_it(coder_of, error, mo, x_test, x_train):
    _few = x_train[:20]
    _coder = coder_of(1, hidden=(128, 128), bend="tanh", rows=_few, max_iter=1500)
    remembered = error(_coder.inverse_transform(_coder.transform(_few)), _few)
    new = error(_coder.inverse_transform(_coder.transform(x_test)), x_test)
    few = mo.ui.switch(label="20 pictures, a code of one number, and two hidden layers of 128")
    mo.vstack([mo.md("## Break it\n\nCan *one* number be a tight enough code?"), few])
    return few, new, remembered


@app.cell
def what_broke(few, mo, new, remembered):
    mo.stop(not few.value)
    mo.md(f"""
    Through one number it rebuilds its 20 pictures with an error of {remembered:.4f}. On new ones it
    is **{new / remembered:.0f} times** as large: {new:.3f}. The number is a *page number*, and the
    decoder is the book. **A short code does not keep a network from learning by heart**; only
    pictures held back tell.
    """)
    return


@app.cell
def mistake(basis, codes, found, mo, np, x):
    _varying = int(np.sum(x.std(axis=0) > 0))
    _used = int(np.sum(np.abs(basis).max(axis=0) > 1e-9))
    mo.md(f"""
    ## Spot the mistakes

    > "PCA drops the features that vary least."

    It drops *directions*. Of {_varying} pixels that vary, {_used} have a share in the four kept.

    > "The contractive penalty is the norm of the Jacobian."

    In the paper it is the **squared** Frobenius norm. Here the norm is {found["norm"]:.2f} in the
    mean, the square {found["tight"]:.2f}. The square pulls less as it shrinks; the norm does not.

    > "Sparse means that the mean of |a| is near rho."

    The KL divergence takes the mean of **a**, between 0 and 1, as with sigmoids, where |a| is a.
    Where activations may be negative the two part: in our linear code, {codes[:, 1].mean():.2f} and
    {np.abs(codes[:, 1]).mean():.2f} for the second number. There, punish |a| itself: `activity_l1`.

    To read on: Y. Bengio and others, [Representation learning](https://arxiv.org/abs/1206.5538), 7.
    """)
    return


@app.cell
def exercise_1(lesson, mo):
    exercise_1 = lesson.Exercise(
        "16.1",
        "How many weights and biases has `Autoencoder((32, 4))` on pictures of 64 pixels?",
        answer=(64 + 1) * 32 + (32 + 1) * 4 + (4 + 1) * 32 + (32 + 1) * 64,
        hint="The decoder mirrors the encoder: 64, 32, 4, 32, 64. Each layer has biases.",
        why="65 * 32 + 33 * 4 + 5 * 32 + 33 * 64.",
    )
    answer_1 = exercise_1.ask(mo)
    answer_1
    return answer_1, exercise_1


@app.cell
def verdict_1(answer_1, exercise_1, mo):
    exercise_1.verdict(mo, answer_1.value)
    return


@app.cell
def exercise_2(lesson, mo, np, variances):
    _variances = np.round(variances[::-1], 2)
    exercise_2 = lesson.Exercise(
        "16.2",
        f"The variances along PCA's 64 directions add up to {_variances.sum():.2f}; the largest two"
        f" are {_variances[0]:.2f} and {_variances[1]:.2f}. What error per pixel has the best"
        " linear autoencoder with a code of two numbers?",
        answer=float(_variances[2:].sum() / 64),
        tolerance=5e-4,
        hint="What is not rebuilt is what lies along the other directions. There are 64 pixels.",
        why="The variance that was dropped, spread over 64 pixels.",
    )
    answer_2 = exercise_2.ask(mo)
    answer_2
    return answer_2, exercise_2


@app.cell
def verdict_2(answer_2, exercise_2, mo):
    exercise_2.verdict(mo, answer_2.value)
    return


@app.cell
def facts(angle, found, lesson, new, np, ratio, remembered):
    _apart = abs(found["jacobian"] / found["tight"] - 1)
    _off = np.abs(found["means"] - 0.05).max()
    _denoised, _tight, _of = found["denoised"], found["tight"], lesson.Fact
    facts = [
        _of("largest angle between the plane and PCA's", angle, "<", 1e-2),
        _of("error of the linear autoencoder in multiples of PCA's", ratio, "<", 1.001),
        _of("sparse: farthest mean activation from rho", _off, "<", 0.02),
        _of("denoiser's error, against noise left in", _denoised, "<", found["noisy"]),
        _of("contractive: penalty and measured Jacobian differ by", _apart, "<", 1e-4),
        _of("contractive: penalty after training with it", _tight, "<", found["free"]),
        _of("learnt by heart: error on new in multiples", new / remembered, ">", 10),
    ]
    lesson.check(facts)
    return (facts,)


if __name__ == "__main__":
    app.run()
