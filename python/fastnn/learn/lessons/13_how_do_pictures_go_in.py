"""How do pictures go in? 12 minutes. After: 9."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="13. How do pictures go in?")


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
    # 13. How do pictures go in?

    In lesson 9 a picture went in as a list of 64 numbers. Shuffle the list, the same way for every
    picture: you could not read a single digit any more, and the network would not even notice. It
    never knew which pixels are neighbours. A **convolution** knows. What does it do with that?

    12 minutes. You need lesson 9: units, layers and what weights are.
    """)
    return


@app.cell
def data(mo, np):
    from sklearn.datasets import load_digits

    _digits = load_digits()
    images, digit = (_digits.images / 16).astype(np.float32), _digits.target
    four = images[4]
    kernels = {
        "vertical edges": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
        "horizontal edges": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
        "blur": [[0.11, 0.11, 0.11], [0.11, 0.12, 0.11], [0.11, 0.11, 0.11]],
        "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    }
    mo.md(f"""
    ## A small window that slides

    {len(images):,} handwritten digits of 8 by 8 pixels, each pixel an amount of ink from 0 to 1.

    A **kernel** is a small picture of weights, here 3 by 3. Lay it on the digit. Multiply each of
    the nine pixels under it by the weight that lies on it, and add up: one number. Slide the kernel
    on by one pixel and do it again, with the **same** weights. In 8 by 8 pixels there are 6 by 6
    places for it, so the numbers make a new picture of 6 by 6: the **feature map**. It is large
    where the digit looks like the kernel.
    """)
    return digit, four, images, kernels


@app.cell
def question(mo):
    along = "It moves to the right by one pixel, too."
    prediction = mo.ui.radio(
        options=[
            "Nothing: a convolution does not care where things are.",
            along,
            "All of its numbers change.",
        ],
        label="**Predict first.** The digit moves to the right by one pixel. What happens to the"
        " feature map?",
    )
    prediction
    return along, prediction


@app.cell
def controls(kernels, lesson, mo, prediction):
    lesson.predict_first(mo, prediction)
    place = mo.ui.slider(0, 35, value=15, label="place of the window", show_value=True)
    shift = mo.ui.slider(-2, 2, value=0, label="shift of the digit", show_value=True)
    look = mo.ui.dropdown(list(kernels), value="vertical edges", label="kernel")
    _moves = mo.hstack([place, shift, look], justify="start", gap=2, wrap=True)
    _text = "Slide the window and check a sum. Take another kernel, drag its weights. Then shift."
    mo.vstack([mo.md(f"## Slide it\n\n{_text}"), _moves])
    return look, place, shift


@app.cell
def editor(kernels, lesson, look, mo, prediction):
    lesson.predict_first(mo, prediction)
    _kernel = kernels[look.value]
    edited = mo.ui.matrix(_kernel, min_value=-5, max_value=5, step=0.5, label="its weights")
    edited
    return (edited,)


@app.cell
def sliding(fastnn, images, kernels, np):
    def convolve(pictures, kernel):
        """Return the feature maps (n, rows, columns) of pictures (n, rows, columns)."""
        weights = np.asarray(kernel, np.float32)[:, :, np.newaxis, np.newaxis]
        return fastnn.functional.conv2d(pictures[..., np.newaxis], weights)[..., 0]

    def shifted(pictures, by):
        """Return pictures moved to the right, or left; what comes in is white."""
        found = np.roll(pictures, by, axis=2)
        found[:, :, slice(0, by) if by > 0 else slice(8 + by, 8)] = 0
        return found

    _edges = kernels["vertical edges"]
    _map, _moved = convolve(images, _edges), convolve(shifted(images, 1), _edges)
    along_by = np.abs(_moved[:, :, 1:] - _map[:, :, :-1]).max()
    return along_by, convolve, shifted


@app.cell
def picture_window(convolve, edited, four, lesson, np, place, shift, shifted):
    _image = shifted(four[np.newaxis], shift.value)[0]
    _kernel = np.asarray(edited.value, np.float32)
    _map = convolve(_image[np.newaxis], _kernel)[0]
    _row, _column = divmod(place.value, 6)
    _products = _image[_row : _row + 3, _column : _column + 3] * _kernel
    _largest = max(np.abs(_map).max(), 1e-6)

    def _frame(ax, row, column, size):
        _across = column - 0.5 + size * np.array([0, 1, 1, 0, 0])
        _down = row - 0.5 + size * np.array([0, 0, 1, 1, 0])
        ax.plot(_across, _down, color=lesson.BLUE, linewidth=2.5)

    def _draw(image, window, feature):
        image.imshow(_image, cmap="Greys", vmin=-0.1, vmax=1.2)
        _frame(image, _row, _column, 3)
        image.set_title("the digit, and the window")
        window.imshow(_products, cmap="PuOr_r", vmin=-_largest, vmax=_largest)
        for (row, column), product in np.ndenumerate(_products):
            _ink = _image[_row + row, _column + column]
            _sum = f"{_ink:.2g} * {_kernel[row, column]:.2g}\n= {product:.2g}"
            window.text(column, row, _sum, ha="center", va="center", fontsize=11)
        window.set_title(f"pixels times weights, sum {_map[_row, _column]:.2f}")
        feature.imshow(_map, cmap="PuOr_r", vmin=-_largest, vmax=_largest)
        _frame(feature, _row, _column, 1)
        feature.set_title("the feature map")
        for ax in (image, window, feature):
            ax.set_axis_off()

    lesson.figure(
        _draw,
        alt=f"A four with a window of 3 by 3 pixels, the nine products of pixels and weights, and "
        f"the feature map. At row {_row}, column {_column} the sum is {_map[_row, _column]:.2f}.",
        columns=3,
        size=(8, 3),
    )
    return


@app.cell
def picture_photograph(convolve, edited, lesson, np, prediction, mo):
    from sklearn.datasets import load_sample_image

    lesson.predict_first(mo, prediction)
    _photo = load_sample_image("china.jpg")[:360:2, ::2].mean(axis=2, dtype=np.float32) / 255
    _map = convolve(_photo[np.newaxis], edited.value)[0]
    _largest = np.quantile(np.abs(_map), 0.99)

    def _draw(photo, feature):
        photo.imshow(_photo, cmap="gray")
        photo.set(title="a photograph", xticks=[], yticks=[])
        feature.imshow(_map, cmap="PuOr_r", vmin=-_largest, vmax=_largest)
        feature.set(title="your kernel on it", xticks=[], yticks=[])

    lesson.figure(
        _draw,
        alt="A temple and trees by the water in grey, and the feature map of the photograph with "
        "your kernel: with the first one, orange and purple lines where upright edges are.",
        columns=2,
        size=(8, 2.6),
    )
    return


@app.cell
def answer(along, along_by, images, lesson, mo, prediction):
    lesson.reveal(
        mo,
        prediction,
        along,
        f"""The same weights meet the same ink, one place further on. We shifted all
        {len(images):,} digits: where both maps have a place, their largest difference is
        {along_by:.0f}, exactly. The name for it is *equivariance*: the map moves **along**. A dense
        layer has other weights for each pixel, so all of its answers change.""",
    )
    return


@app.cell
def library_title(mo):
    mo.md("""
    ## Many kernels, and nobody writes them

    A layer has many kernels, called **filters**, and each makes a map of its own: a **channel**. A
    kernel of the next layer reaches through all channels below it. A photograph comes in with
    three: red, green and blue. The weights of the kernels are *learnt*, like all others.

    Sixteen filters of 3 by 3, each with a bias, have 16 * (9 + 1) = 160 parameters. A dense layer
    with as many answers, 16 for each of 64 pixels, has 1,024 * (64 + 1) = 66,560.

    ## In the library

    A border of white (`padding="same"`) keeps the maps at 8 by 8. **Pooling** keeps the largest of
    each 2 by 2 numbers: a quarter of the map is left, and it is less exact about where things are.
    The first 1,000 digits train, the other 797 test.
    """)
    return


@app.cell
def library(digit, fastnn, images, mo, np):
    x = images[..., np.newaxis]
    start = "he_normal"
    convolutional = [
        fastnn.layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer=start),
        fastnn.layers.MaxPooling2D(2, name="pool"),
        fastnn.layers.Flatten(),
        fastnn.layers.Dense(10, "softmax"),
    ]

    def train(layers, pictures, seed=0):
        model = fastnn.Sequential(layers, input_shape=(8, 8, 1), seed=seed)
        rule = fastnn.optimizers.Adam(0.003)
        model.compile(rule, "categorical_crossentropy", metrics=["accuracy"])
        model.fit(pictures[:1000], digit[:1000], epochs=30, verbose=0)
        return model

    def error(model, pictures):
        return 1 - model.evaluate(pictures[1000:], digit[1000:])["accuracy"]

    reader = train(convolutional, x)
    mo.show_code(f"error in the test: {error(reader, x):.1%}", position="above")
    return convolutional, error, reader, train, x


@app.cell
def picture_learnt(fastnn, four, lesson, reader):
    def _draw(filters, maps):
        fastnn.plots.filters(reader, ax=filters)
        filters.set_title("its 16 kernels")
        fastnn.plots.feature_maps(reader, four, ax=maps)
        maps.set_title("the 16 maps of the four")

    lesson.figure(
        _draw,
        alt="Sixteen learnt kernels of 3 by 3 weights, and the map that each makes of the four.",
        columns=2,
        size=(8, 4),
    )
    return


@app.cell
def plain_python_title(mo):
    mo.md("""
    ## The same in plain Python

    The first of the learnt filters, on the four. (In mathematics a convolution turns the kernel
    around first. Libraries of networks do not: they would learn the turned kernel as well.)
    """)
    return


@app.cell
def plain_python(four, mo, np, reader):
    weights, biases = reader.get_weights()[:2]
    kernel, bias = weights[:, :, 0, 0], biases[0]
    padded = np.pad(four, 1)
    by_hand = np.zeros((8, 8))
    for row in range(8):
        for column in range(8):
            window = padded[row : row + 3, column : column + 3]
            by_hand[row, column] = max(np.sum(window * kernel) + bias, 0)
    pooled = by_hand.reshape(4, 2, 4, 2).max(axis=(1, 3))
    mo.show_code(f"after pooling, second row: {pooled[1].round(4).tolist()}", position="above")
    return by_hand, pooled


@app.cell
def the_same(by_hand, fastnn, four, mo, np, pooled, reader):
    _map = fastnn.plots.feature_maps_data(reader, four)[0]
    _pool = fastnn.plots.feature_maps_data(reader, four, "pool")[0]
    apart = [np.abs(_map - by_hand).max(), np.abs(_pool - pooled).max()]
    mo.md(f"""
    The library's maps differ from yours by at most {apart[0]:.0e} before the pooling, and by
    {apart[1]:.0e} after it.
    """)
    return (apart,)


@app.cell
def contest(convolutional, error, fastnn, mo, np, train, x):
    _hidden = fastnn.layers.Dense(37, "relu", kernel_initializer="he_normal")
    dense = [fastnn.layers.Flatten(), _hidden, convolutional[-1]]
    _order = np.random.default_rng(0).permutation(64)
    scrambled = x.reshape(len(x), 64)[:, _order].reshape(x.shape)
    errors, sizes = {}, {}
    for _name, _layers in (("convolution", convolutional), ("dense", dense)):
        for _kind, _pictures in (("whole", x), ("scrambled", scrambled)):
            _models = [train(_layers, _pictures, seed) for seed in range(3)]
            errors[_name, _kind] = [error(model, _pictures) for model in _models]
        sizes[_name] = sum(weight.size for weight in _models[0].get_weights())
    medians = {name: np.median(found) for name, found in errors.items()}
    _shares = {name: ", ".join(f"{error:.1%}" for error in errors[name, "whole"]) for name in sizes}
    _rows = "\n    ".join(
        f"| {name} | {sizes[name]:,} | {_shares[name]} | {medians[name, 'whole']:.1%} |"
        for name in sizes
    )
    mo.md(f"""
    ## Is it worth it?

    A hidden layer of 37 dense units has a few more parameters. Both networks are trained three
    times, from other initial weights:

    | network | parameters | errors in the test | median |
    | --- | --- | --- | --- |
    {_rows}
    """)
    return medians, scrambled, sizes


@app.cell
def break_it(mo):
    scramble = mo.ui.switch(label="scramble the pixels")
    _text = "Scramble the pixels, in the same way for every digit, and train both networks anew."
    mo.vstack([mo.md(f"## Break it\n\n{_text}"), scramble])
    return (scramble,)


@app.cell
def picture_scrambled(images, lesson, mo, scramble, scrambled):
    mo.stop(not scramble.value)

    def _draw(*axes):
        for ax, picture in zip(axes, [*images[:4], *scrambled[:4, :, :, 0]], strict=True):
            ax.imshow(picture, cmap="Greys", vmin=-0.1, vmax=1.2)
            ax.set_axis_off()

    lesson.figure(
        _draw,
        alt="Four digits, 0 to 3, and the same four with scrambled pixels, which nobody can read.",
        columns=8,
        size=(9.5, 1.4),
    )
    return


@app.cell
def what_broke(medians, mo, scramble):
    mo.stop(not scramble.value)
    _said = {kind: f"{share:.1%}" for kind, share in medians.items()}
    mo.md(f"""
    | network | median error | scrambled |
    | --- | --- | --- |
    | convolution | {_said["convolution", "whole"]} | {_said["convolution", "scrambled"]} |
    | dense | {_said["dense", "whole"]} | {_said["dense", "scrambled"]} |

    For the dense network one order of pixels is as good as another. The convolution has lost its
    lead: a window now holds nine pixels that have nothing to do with each other. **A convolution is
    a bet: that neighbours belong together, and that what is worth seeing here is worth seeing
    there.** For pictures the bet is good. For the columns of a table it is not.
    """)
    return


@app.cell
def mistake(convolutional, error, fastnn, mo, np, reader, shifted, train, x):
    _right = shifted(x[..., 0], 1)[..., np.newaxis]
    _robust = train([fastnn.layers.RandomTranslation(1, 1), *convolutional], x)
    strays = {
        "still": (error(reader, x), error(reader, _right)),
        "moving": (error(_robust, x), error(_robust, _right)),
    }
    mo.md(f"""
    ## Spot the mistake

    > "A convolutional network recognises a digit wherever it is."

    The *map* moves along with the digit; the answer should not move at all. That would be
    *invariance*, and it is another thing. Behind the maps there is a dense layer, which has a
    weight of its own for each place. We shifted the test digits to the right by a single pixel:

    | trained on | test error | test error, shifted |
    | --- | --- | --- |
    | digits as they are | {strays["still"][0]:.1%} | **{strays["still"][1]:.1%}** |
    | digits that move by up to a pixel | {strays["moving"][0]:.1%} | {strays["moving"][1]:.1%} |

    Pooling forgives a little, and little is not enough. What does help is to *show* it: the layer
    `RandomTranslation(1, 1)` in front shifts the pictures while training, and the
    network gets better at digits that are not shifted, too.
    """)
    return (strays,)


@app.cell
def bigger(mo):
    big = mo.ui.switch(label="10,000 digits of MNIST, 28 by 28 pixels")
    _text = "Two convolutions, two poolings and a dense layer; it takes some seconds."
    mo.vstack([mo.md(f"## Bigger pictures\n\n{_text}"), big])
    return (big,)


@app.cell
def bigger_pictures(big, fastnn, mo):
    if not big.value:
        _said = ""
    elif not fastnn.datasets.is_here("mnist"):
        _said = "`fastnn data get mnist` fetches the file; then switch off and on again."
    else:
        _mnist = fastnn.datasets.fetch_mnist()
        _reader = fastnn.ConvClassifier((16, 32), max_iter=3, random_state=0)
        _reader.fit(_mnist.X_train[:10000].reshape(-1, 28, 28), _mnist.y_train[:10000])
        _score = _reader.score(_mnist.X_test.reshape(-1, 28, 28), _mnist.y_test)
        _said = f"Of the {len(_mnist.y_test):,} digits of the test, {1 - _score:.1%} are misread."
    mo.md(_said)
    return


@app.cell
def exercise_1(fastnn, lesson, mo, np):
    _layers = [fastnn.layers.Conv2D(8, 5), fastnn.layers.MaxPooling2D(2)]
    _model = fastnn.Sequential(_layers, input_shape=(28, 28, 1))
    exercise_1 = lesson.Exercise(
        "13.1",
        "Pictures of 28 by 28 pixels go through a convolution with a kernel of 5 by 5, without a"
        " border, then through a pooling of 2 by 2. How many rows has a map now?",
        answer=_model.predict(np.zeros((1, 28, 28, 1))).shape[1],
        hint="How many places has a window of 5 in a row of 28? Then halve.",
        why="28 - 5 + 1 = 24 places, and 24 / 2 = 12.",
    )
    answer_1 = exercise_1.ask(mo)
    answer_1
    return answer_1, exercise_1


@app.cell
def verdict_1(answer_1, exercise_1, mo):
    exercise_1.verdict(mo, answer_1.value)
    return


@app.cell
def exercise_2(fastnn, lesson, mo):
    _layer = fastnn.layers.Conv2D(16, 3)
    _weights = fastnn.Sequential([_layer], input_shape=(64, 64, 3)).get_weights()
    exercise_2 = lesson.Exercise(
        "13.2",
        "Sixteen filters of 3 by 3, each with a bias, on colour pictures (three channels) of 64 by"
        " 64 pixels: how many parameters is that?",
        answer=sum(weight.size for weight in _weights),
        hint="A kernel goes through all three channels. Does it matter how large the picture is?",
        why="16 * (3 * 3 * 3 + 1). The size of the picture has no part in it: a kernel is used at"
        " every place.",
    )
    answer_2 = exercise_2.ask(mo)
    answer_2
    return answer_2, exercise_2


@app.cell
def verdict_2(answer_2, exercise_2, mo):
    exercise_2.verdict(mo, answer_2.value)
    return


@app.cell
def reading(mo):
    mo.md("""
    **Read on:** LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document
    recognition*, 1998. Zhang, *Making convolutional networks shift-invariant again*, 2019.
    """)
    return


@app.cell
def facts(along_by, apart, lesson, medians, sizes, strays):
    _lost = medians["convolution", "scrambled"] - medians["convolution", "whole"]
    _whole = medians["convolution", "whole"], medians["dense", "whole"]
    facts = [
        lesson.Fact("Conv2D and two loops differ by", apart[0], "<", 1e-5),
        lesson.Fact("MaxPooling2D and NumPy differ by", apart[1], "<", 1e-5),
        lesson.Fact("map of a shifted digit, less the shifted map, inside", along_by, "==", 0),
        lesson.Fact("parameters, convolution", sizes["convolution"], "<=", sizes["dense"]),
        lesson.Fact("median error, convolution", _whole[0], "<=", _whole[1]),
        lesson.Fact("scrambling costs the convolution", _lost, ">", 0.005),
        lesson.Fact("error on shifted digits", strays["still"][1], ">", 0.3),
        lesson.Fact("the same after training on moving digits", strays["moving"][1], "<", 0.1),
    ]
    lesson.check(facts)
    return (facts,)


if __name__ == "__main__":
    app.run()
